use super::*;

fn options(seed: u64, seconds: u64, faults: &[&str]) -> Options {
    let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
    Options { seed, seconds, faults, workloads: Vec::new(), rate: 100, foreign: false }
}

#[test]
fn a_seed_gives_one_plan_and_another_seed_another() {
    let plan = |seed| Plan::new(&options(seed, 600, &[])).expect("a plan");
    assert_eq!(plan(7), plan(7));
    assert_ne!(plan(7).steps, plan(8).steps);
    let saved = serde_json::to_string(&plan(7)).expect("written");
    assert_eq!(serde_json::from_str::<Plan>(&saved).expect("read"), plan(7));
}

#[test]
fn faults_come_one_after_the_other_and_end_before_the_run_does() {
    for seed in 0..50 {
        let plan = Plan::new(&options(seed, 120, &[])).expect("a plan");
        assert!(plan.steps.len() > 5, "{:?}", plan.steps);
        for pair in plan.steps.windows(2) {
            assert!(pair[0].at_ms + pair[0].for_ms < pair[1].at_ms, "{pair:?}");
        }
        let last = plan.steps.last().expect("there is one");
        assert!(last.at_ms + last.for_ms + QUIET_MS <= 120_000);
    }
}

#[test]
fn a_long_plan_has_each_fault_on_each_target() {
    let plan = Plan::new(&options(1, 3_600, &[])).expect("a plan");
    for fault in CATALOG {
        for target in fault.targets {
            let there = plan.steps.iter().any(|step| step.fault == fault.name && step.target == *target);
            assert!(there, "{}:{target}", fault.name);
        }
    }
}

#[test]
fn what_is_asked_for_is_all_there_is_and_what_is_unknown_is_named() {
    let plan = Plan::new(&options(1, 60, &["kill:leader"])).expect("a plan");
    assert!(plan.steps.iter().all(|step| step.fault == "kill" && step.target == "leader"));
    assert!(Plan::new(&options(1, 60, &["none"])).expect("a plan").steps.is_empty());
    for wrong in ["gremlin", "kill:moon"] {
        let error = Plan::new(&options(1, 60, &[wrong])).expect_err("unknown").to_string();
        assert!(error.contains(wrong) && error.contains("kill:leader"), "{error}");
    }
    assert!(Plan::new(&options(1, 5, &[])).is_err());
}
