//! A short run on a real cluster: kills, a pause, and no promise broken (C21, S1, S2, S3).
//!
//! Its verdict may be unknown where the machine is too busy to show anything; it must not be invalid.

use std::time::Duration;

use jepsen::{Extras, Options, Place, Plan, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_run_under_kills_and_a_pause_breaks_no_promise_c21_s1_s2_s3() {
    let faults = ["kill:owner", "pause:leader", "kill:handler"].map(str::to_owned).to_vec();
    let options = Options { seed: 21, seconds: 25, faults, workloads: Vec::new(), rate: 100, foreign: false };
    let plan = Plan::new(&options).expect("a plan");
    let out = tempfile::tempdir().expect("a directory");
    // How fast it is well again is measured elsewhere; here it must only come to that, on any machine.
    let extras = Extras { recovery: Duration::from_secs(300), ..Extras::default() };
    let summary = run(&plan, Place::Own, extras, out.path()).await.expect("it runs");
    let wrong: Vec<_> = summary.findings.iter().filter(|finding| finding.verdict == "invalid").collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(summary.faults.iter().any(|fault| fault.made), "{:?}", summary.faults);
    for (workload, answered) in &summary.answered {
        assert!(*answered > 0, "{workload} did nothing");
        let history =
            std::fs::read_to_string(out.path().join(format!("history-{workload}.edn"))).expect("saved");
        history::History::from_edn(&history).expect("it can be read again");
    }
    let page = std::fs::read_to_string(out.path().join("report.html")).expect("saved");
    assert!(page.contains("Verdict") && page.contains("<svg"), "{page}");
}
