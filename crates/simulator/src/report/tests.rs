use super::{chart::chart, table::table, *};
use crate::tally::Point;

fn figures(policy: Kind, seed: u64, overload: f64) -> Figures {
    Figures {
        workload: "w1".into(),
        seed,
        policy: policy.name().into(),
        overload,
        overload_full: overload / 2.0,
        overload_p99_server: 10.0,
        hottest: 1.5,
        hottest_p99: 2.0,
        round_trip_ms: 20.0,
        moves_per_hour: 1_000.0,
        load_moved_per_hour: 0.1,
        back_and_forth: 2.0,
        back_and_forth_share: 0.0001,
        decision_ms: 0.5,
        decision_ms_max: 1.0,
    }
}

fn report(ours: f64) -> Report {
    let mut report = Report {
        version: VERSION,
        databases: 100_000,
        servers: 100,
        days: 1,
        runs: vec![
            figures(Kind::Bounded, 1, 180.0),
            figures(Kind::Bounded, 2, 220.0),
            figures(Kind::Lpt, 1, 150.0),
            figures(Kind::Lpt, 2, 150.0),
            figures(Kind::Stationmaster, 1, ours - 10.0),
            figures(Kind::Stationmaster, 2, ours + 10.0),
        ],
        bounds: (1..=2).map(|seed| Bound { workload: "w1".into(), seed, round_trip_ms: 15.0 }).collect(),
        gates: Vec::new(),
    };
    report.judge();
    report
}

#[test]
fn seeds_come_together_as_mean_and_range() {
    let summary = report(70.0).summary("w1", "stationmaster", Measure::Overload);
    assert_eq!(summary, Some(Summary { mean: 70.0, least: 60.0, most: 80.0 }));
    assert_eq!(report(70.0).summary("w2", "stationmaster", Measure::Overload), None);
}

#[test]
fn a_gate_is_missed_when_its_figure_is_above_what_it_may_be() {
    let missed = |ours| {
        let gates = report(ours).gates;
        assert_eq!(gates.len(), 7);
        gates.into_iter().filter(|gate| !gate.passed).map(|gate| gate.name).collect::<Vec<_>>()
    };
    assert!(missed(99.0).is_empty());
    assert_eq!(missed(101.0), ["overload, 0.5 of bounded loads"]);
    assert_eq!(missed(151.0), ["overload, 0.5 of bounded loads", "overload, LPT every 5 min"]);
}

#[test]
fn what_is_not_as_stored_is_told_and_what_was_not_run_too() {
    let expect = |policy: &str, least, most| Expected {
        workload: "w1".into(),
        policy: policy.into(),
        measure: Measure::Overload,
        least,
        most,
    };
    let check = |expected| Stored { expect: vec![expected] }.check(&report(70.0));
    assert!(check(expect("stationmaster", 60.0, 80.0)).is_empty());
    assert_eq!(
        check(expect("stationmaster", 10.0, 60.0)),
        ["w1, stationmaster: Overload is 70.0000, and not within 10 to 60"]
    );
    assert!(check(expect("greedy", 0.0, 1e9))[0].ends_with("was not run, though figures are stored for it"));
}

#[test]
fn the_table_has_a_row_for_each_policy_and_says_which_gates_are_missed() {
    let text = table(&report(120.0));
    assert!(
        text.contains("| stationmaster | 120 (110-130) | 60 | 10 | 1.50, 2.00 | 20.0 | 1000 |"),
        "{text}"
    );
    assert!(
        text.contains("MISSED  w1: overload, 0.5 of bounded loads = 120.0000, at most 100.0000"),
        "{text}"
    );
    assert!(text.contains("passed  w1: overload, LPT every 5 min"), "{text}");
    assert!(!text.contains("| greedy |"));
}

#[test]
fn the_chart_draws_three_lines_for_each_policy_and_follows_the_readers_ground() {
    let points = vec![Point { hottest: 0.9, p99: 0.8, mean: 0.4 }; 1_440];
    let svg = chart("a < b", &[("ours".into(), &points), ("theirs".into(), &points)]);
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("a &lt; b") && svg.contains("prefers-color-scheme: dark"));
    assert_eq!(svg.matches("<path class=\"mean\" d=\"M38.0").count(), 2);
}
