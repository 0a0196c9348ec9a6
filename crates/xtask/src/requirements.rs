//! `cargo xtask requirements`: which tests show each requirement, and whether they pass.
//!
//! A test shows a requirement by having its number in its name, such as `…_r49`. Tests are found by reading the sources, and
//! what became of them by reading what `cargo test` printed. A requirement without a test fails, and so does one of
//! whose tests any fails or was not run.

mod found;
mod list;
mod verdicts;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::Context;

use found::Test;
use list::{LIST, Requirement};
use verdicts::Verdict;
pub use verdicts::Verdicts;

#[derive(clap::Args)]
pub struct Args {
    /// Sections, such as D..G or F; all that are known without it
    #[arg(long, value_name = "SECTIONS", default_value = "D..G", value_parser = sections)]
    section: Sections,
    /// Read what `cargo test` printed from a file instead of running the tests
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Print each test, not only how many there are
    #[arg(long)]
    tests: bool,
}

/// From one section to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sections(char, char);

fn sections(text: &str) -> Result<Sections, String> {
    let known = |name: &str| {
        let mut letters = name.chars();
        let letter = letters.next().filter(|_| letters.next().is_none()).map(|one| one.to_ascii_uppercase());
        letter.filter(|letter| LIST.iter().any(|one| one.section == *letter))
    };
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    match (known(from), known(to)) {
        (Some(from), Some(to)) if from <= to => Ok(Sections(from, to)),
        _ => Err("there are sections D, E, F and G; write D..G or F".into()),
    }
}

/// Runs the tests and prints the table.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (Sections(from, to), all) = (args.section, found::in_repository(&root)?);
    let wanted: Vec<&Requirement> = LIST.iter().filter(|one| (from..=to).contains(&one.section)).collect();
    let tests: Vec<&Test> =
        all.iter().filter(|test| wanted.iter().any(|one| test.numbers.contains(&one.number))).collect();
    let verdicts = match &args.results {
        Some(file) => {
            let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            Verdicts::read(&String::from_utf8_lossy(&text))
        }
        None => play(&root, &tests)?,
    };
    let (table, failed) = table(&wanted, &tests, &verdicts, args.tests);
    print!("{table}");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Requirements that do not pass, by what the tests printed; prints the table.
pub fn judge(verdicts: &Verdicts) -> anyhow::Result<(u64, u64)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (wanted, all): (Vec<&Requirement>, _) = (LIST.iter().collect(), found::in_repository(&root)?);
    let (table, failed) = table(&wanted, &all.iter().collect::<Vec<_>>(), verdicts, false);
    print!("{table}");
    Ok((wanted.len() as u64 - failed, failed))
}

/// Runs these tests, and none of the others in their packages.
fn play(root: &Path, tests: &[&Test]) -> anyhow::Result<Verdicts> {
    let mut verdicts = Verdicts::default();
    for features in [&[] as &[&str], &["--features", "directive/rules"]] {
        let chosen: Vec<&&Test> =
            tests.iter().filter(|test| test.needs_rules != features.is_empty()).collect();
        let packages: BTreeSet<&str> = chosen.iter().map(|test| test.package.as_str()).collect();
        // Python's tests are run by one of Rust's.
        let names: BTreeSet<&str> = chosen.iter().map(|test| test.run_by.unwrap_or(&test.name)).collect();
        if packages.is_empty() {
            continue;
        }
        eprintln!("running {} tests of {} packages", names.len(), packages.len());
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(root).args(["test", "--locked", "--no-fail-fast"]).args(features);
        command.args(packages.iter().flat_map(|package| ["-p", package]));
        let output = command.arg("--").args(names).stderr(Stdio::inherit()).output()?;
        verdicts.add(&String::from_utf8_lossy(&output.stdout));
    }
    Ok(verdicts)
}

/// The table, and how many of the requirements do not pass.
fn table(wanted: &[&Requirement], tests: &[&Test], verdicts: &Verdicts, each: bool) -> (String, u64) {
    let (mut text, mut failed) = (String::new(), 0);
    for Requirement { section, number, what } in wanted {
        let shown: Vec<(&Test, Verdict)> = tests
            .iter()
            .filter(|test| test.numbers.contains(number))
            .map(|test| (*test, verdicts.of(test.run_by.unwrap_or(&test.name))))
            .collect();
        let count = |verdict: Verdict| shown.iter().filter(|(_, one)| *one == verdict).count();
        let (passed, bad, open) = (count(Verdict::Passed), count(Verdict::Failed), count(Verdict::NotRun));
        let said = match (passed, bad, open) {
            (0, 0, 0) => "NO TEST".to_owned(),
            (_, 0, 0) => "pass".to_owned(),
            (_, 0, open) => format!("NOT RUN: {open}"),
            (_, bad, _) => format!("FAIL: {bad}"),
        };
        failed += u64::from(said != "pass");
        text.push_str(&format!("{section}  R{number}  {said:<12} {:>3} tests  {what}\n", shown.len()));
        let lines = shown.iter().filter(|(_, verdict)| each || *verdict != Verdict::Passed);
        lines.for_each(|(test, verdict)| {
            text.push_str(&format!("          {:<8} {}: {}\n", verdict.word(), test.package, test.name));
        });
    }
    text.push_str(&format!("{} of {} requirements pass\n", wanted.len() as u64 - failed, wanted.len()));
    (text, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str) -> Test {
        Test::of("p", name)
    }

    #[test]
    fn a_requirement_passes_when_it_has_tests_and_all_of_them_pass() {
        let (good, bad, open) = (test("a_r41"), test("b_r42_r41_s9"), test("c_r43"));
        let wanted: Vec<&Requirement> = LIST.iter().filter(|one| (41..=44).contains(&one.number)).collect();
        let verdicts = Verdicts::read("test x::a_r41 ... ok\ntest b_r42_r41_s9 ... FAILED\n");
        let (text, failed) = table(&wanted, &[&good, &bad, &open], &verdicts, false);
        let said: Vec<&str> = text.lines().filter(|line| line.starts_with("D ")).collect();
        let begin = ["D  R41  FAIL: 1", "D  R42  FAIL: 1", "D  R43  NOT RUN: 1", "D  R44  NO TEST"];
        assert!(said.iter().zip(begin).all(|(line, begin)| line.starts_with(begin)), "{text}");
        assert_eq!((said.len(), failed), (4, 4));
        let verdicts = Verdicts::read("test x::a_r41 ... ok\ntest b_r42_r41_s9 ... ok\n");
        assert_eq!(table(&wanted[..2], &[&good, &bad], &verdicts, false).1, 0);
    }

    #[test]
    fn every_number_of_the_sections_is_there_once() {
        let numbers: Vec<u32> = LIST.iter().map(|one| one.number).collect();
        assert_eq!(numbers, (41..=97).collect::<Vec<u32>>());
        assert_eq!(sections("e..F"), Ok(Sections('E', 'F')));
        assert!(["", "A", "G..D", "D..", "DE"].iter().all(|text| sections(text).is_err()));
    }

    #[test]
    fn every_requirement_has_a_test() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let all = found::in_repository(&root).expect("readable sources");
        let bare = LIST.iter().filter(|one| !all.iter().any(|test| test.numbers.contains(&one.number)));
        let bare: Vec<u32> = bare.map(|one| one.number).collect();
        assert!(bare.is_empty(), "no test is named for {bare:?}");
        assert!(all.iter().any(|test| test.run_by.is_some()) && all.iter().any(|test| test.needs_rules));
    }
}
