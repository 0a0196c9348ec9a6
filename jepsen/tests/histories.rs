//! The stored histories get the verdicts that their first lines say, and go through EDN unchanged (C21).

use std::{fs, path::Path};

use history::History;

#[test]
fn every_stored_history_gets_the_verdict_that_is_written_in_it_c21() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("histories");
    let mut judged = 0;
    for entry in fs::read_dir(directory).expect("the folder is there") {
        let file = entry.expect("it can be listed").path();
        let text = fs::read_to_string(&file).expect("it can be read");
        let first = text.lines().next().unwrap_or_default();
        let words: Vec<&str> = first.split([' ', ',', ':']).filter(|word| !word.is_empty()).collect();
        let [";", "workload", workload, verdict, ..] = words[..] else {
            panic!("{}: {first}", file.display())
        };
        let history = History::from_edn(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let finding = jepsen::check(workload, &history).expect("a workload");
        assert_eq!(finding.verdict.to_string(), verdict, "{}: {:?}", file.display(), finding.wrong);
        let again: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
        assert_eq!(history.to_edn(), again, "{}", file.display());
        judged += 1;
    }
    assert!(judged >= 10, "{judged} histories");
}
