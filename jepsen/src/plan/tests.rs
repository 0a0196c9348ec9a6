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

#[test]
fn a_fault_that_there_is_no_time_for_makes_way_for_others() {
    for seed in 0..50 {
        let plan = Plan::new(&options(seed, 11, &["partition", "kill"])).expect("a plan");
        assert!(!plan.steps.is_empty() && plan.steps.iter().all(|step| step.fault == "kill"), "{plan:?}");
        assert!(!Plan::new(&options(seed, 12, &["partition"])).expect("a plan").steps.is_empty());
        let error = Plan::new(&options(seed, 10, &["partition:ring"])).expect_err("no time").to_string();
        assert!(error.contains("partition:ring needs 12 s"), "{error}");
    }
}

#[test]
fn a_plan_made_by_hand_that_cannot_be_run_is_refused_c21() {
    let good = Plan::new(&options(1, 60, &["kill:leader", "kill:owner"])).expect("a plan");
    assert_eq!(good.clone().checked(false).expect("it was made so"), good);
    type Spoil = fn(&mut Plan);
    let spoilt: [(Spoil, &str); 12] = [
        (|plan| plan.seconds = 0, "10 s to a day"),
        (|plan| plan.controllers = 0, "1 to 20 controllers"),
        (|plan| plan.handlers = 300, "1 to 20 handlers"),
        (|plan| plan.workloads.clear(), "without workloads"),
        (|plan| plan.workloads[0].name = "tetris".into(), "no workload tetris"),
        (|plan| plan.workloads[1] = plan.workloads[0].clone(), "twice"),
        (|plan| plan.workloads[0].rate = 0, "operations a second"),
        (|plan| plan.workloads[0].clients = 0, "clients"),
        (|plan| plan.workloads[0].databases = 0, "databases"),
        (|plan| plan.steps[0].target = "moon".into(), "no fault kill:moon"),
        (|plan| plan.steps[1].at_ms = 0, "before the last fault ends"),
        (|plan| plan.steps[1].for_ms = u64::MAX, "after the 60 s"),
    ];
    for (spoil, expected) in spoilt {
        let mut plan = good.clone();
        spoil(&mut plan);
        let error = plan.checked(false).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let mut foreign = good;
    foreign.steps[0].fault = "reboot".into();
    assert!(foreign.clone().checked(false).is_err() && foreign.checked(true).is_ok());
}

#[test]
fn the_plans_that_come_with_the_suite_can_be_run_c21() {
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/plans")).expect("a folder") {
        let text = std::fs::read_to_string(file.expect("it can be listed").path()).expect("it can be read");
        let plan: Plan = serde_json::from_str(&text).expect("a plan");
        plan.checked(false).expect("it can be run");
    }
}
