//! Conditions by table: what is measured when, and what is raised or cleared then.

mod declared;

use super::*;
use crate::Unit;

/// A detector on a clock of its own.
pub(super) struct Watched {
    pub(super) detector: Detector,
    start: Instant,
}

impl Watched {
    pub(super) fn new(rules: &str) -> Self {
        let none: Vec<String> =
            Rules::built_in().rules.keys().map(|kind| format!("{:?}", kind.as_ref())).collect();
        let text = format!("off = [{}]\n{rules}", none.join(","));
        let rules = Rules::parse("test.toml", &text).unwrap_or_else(|error| panic!("{error}"));
        Self { detector: Detector::new(Arc::new(rules)), start: Instant::now() }
    }

    pub(super) fn at(&self, second: f64) -> Instant {
        self.start + Duration::from_secs_f64(second)
    }

    fn measure(&mut self, second: f64, source: &str, scope: Scope, value: f64) {
        let source = source.parse().expect(source);
        let event = Event { source, scope, value, unit: Unit::Ratio, at: self.at(second) };
        self.detector.observe(&event);
    }

    /// Measures and looks: `second source value`, and what changed then, as `+overload` or `-overload`.
    fn step(&mut self, second: f64, measured: &[(&str, f64)]) -> Vec<String> {
        for (source, value) in measured {
            self.measure(second, source, Scope::Server, *value);
        }
        let now = self.at(second);
        shown(&self.detector.evaluate(now))
    }

    /// Goes through a table of time, value and what changes then.
    fn follows(&mut self, source: &str, table: &[(f64, f64, &str)]) {
        for (second, value, expected) in table {
            let changed = self.step(*second, &[(source, *value)]).join(" ");
            assert_eq!(changed, *expected, "at {second} with {value}");
        }
    }
}

pub(super) fn shown(changes: &[Change]) -> Vec<String> {
    let sign = |change: &Change| if change.raised { '+' } else { '-' };
    let scope = |change: &Change| match change.scope {
        Scope::Server => String::new(),
        database @ Scope::Database(_) => format!("@{database}"),
    };
    changes.iter().map(|change| format!("{}{}{}", sign(change), change.kind, scope(change))).collect()
}

const HOT: &str = "[rule.hot]\nfor_ms = 3000\nclear_for_ms = 5000\n\
                   if = [{ source = \"cpu_used_ratio\", above = 0.9, clear = 0.7 }]\n";

#[test]
fn r44_it_has_to_hold_for_long_enough_without_a_pause() {
    Watched::new(HOT).follows(
        "cpu_used_ratio",
        &[
            (0.0, 0.95, ""),
            (1.0, 0.95, ""),
            // Between the thresholds it does not hold: it begins anew.
            (2.0, 0.8, ""),
            (3.0, 0.95, ""),
            (5.0, 0.95, ""),
            (6.0, 0.95, "+hot"),
            (7.0, 0.99, ""),
        ],
    );
}

#[test]
fn s5_a_raised_condition_is_cleared_at_its_own_threshold_and_after_its_own_time() {
    Watched::new(HOT).follows(
        "cpu_used_ratio",
        &[
            (0.0, 0.95, ""),
            (3.0, 0.95, "+hot"),
            (4.0, 0.8, ""),
            (20.0, 0.8, ""),
            (21.0, 0.6, ""),
            (24.0, 0.6, ""),
            // It was back for a moment: the time begins anew.
            (25.0, 0.75, ""),
            (26.0, 0.6, ""),
            (31.0, 0.6, "-hot"),
            (32.0, 0.95, ""),
        ],
    );
}

#[test]
fn s5_what_swings_around_the_threshold_is_raised_once() {
    let mut watched = Watched::new(HOT);
    let mut changes = Vec::new();
    for second in 0..300 {
        let value = if second % 10 < 7 { 0.95 } else { 0.75 };
        changes.extend(watched.step(f64::from(second), &[("cpu_used_ratio", value)]));
    }
    assert_eq!(changes, ["+hot"]);
}

#[test]
fn r44_events_errors_and_a_combination_each_raise_their_condition_and_less_raises_none() {
    let rules = "[rule.events]\nif = [{ source = \"memory_used_ratio\", above = 0.9 }]\n\
                 [rule.errors]\nif = [{ source = \"errors.58\", take = \"sum\", over_ms = 10000, above = 3 }]\n\
                 [rule.both]\nif = [{ source = \"memory_used_ratio\", above = 0.5 }, \
                 { source = \"errors.53\", take = \"sum\", over_ms = 10000, above = 0 }]\n";
    for (memory, errors_58, errors_53, expected) in [
        (0.4, 0.0, 0.0, vec![]),
        (0.95, 0.0, 0.0, vec!["+events"]),
        (0.4, 4.0, 0.0, vec!["+errors"]),
        (0.4, 3.0, 0.0, vec![]),
        (0.6, 0.0, 1.0, vec!["+both"]),
        (0.6, 0.0, 0.0, vec![]),
        (0.4, 0.0, 9.0, vec![]),
    ] {
        let measured = [("memory_used_ratio", memory), ("errors.58", errors_58), ("errors.53", errors_53)];
        assert_eq!(Watched::new(rules).step(0.0, &measured), expected, "{measured:?}");
    }
}

#[test]
fn r46_any_of_several_clauses_is_enough_and_all_must_be_over() {
    let rules = "[rule.slow]\ncombine = \"any\"\nif = [{ source = \"journal_seconds\", above = 1 }, \
                 { source = \"data_disk_seconds\", above = 1 }]\n";
    let mut watched = Watched::new(rules);
    assert_eq!(watched.step(0.0, &[("journal_seconds", 2.0), ("data_disk_seconds", 0.0)]), ["+slow"]);
    assert!(watched.step(1.0, &[("journal_seconds", 0.0), ("data_disk_seconds", 2.0)]).is_empty());
    assert_eq!(watched.step(2.0, &[("data_disk_seconds", 0.0)]), ["-slow"]);
}

#[test]
fn a_mean_needs_its_samples_and_a_silent_source_says_nothing() {
    let rules = "fresh_ms = 4000\n[rule.busy]\nif = [{ source = \"cpu_pressure_ratio\", take = \"mean\", \
                 over_ms = 4000, samples_min = 3, above = 0.8 }]\n";
    Watched::new(rules).follows(
        "cpu_pressure_ratio",
        &[(0.0, 0.9, ""), (1.0, 0.9, ""), (2.0, 0.9, "+busy"), (20.0, 0.9, "-busy")],
    );
    let rules = "fresh_ms = 4000\n[rule.hot]\nif = [{ source = \"cpu_used_ratio\", above = 0.9 }]\n";
    let mut watched = Watched::new(rules);
    assert_eq!(watched.step(0.0, &[("cpu_used_ratio", 1.0)]), ["+hot"]);
    assert!(watched.step(4.0, &[]).is_empty(), "fresh enough");
    assert_eq!(watched.step(5.0, &[]), ["-hot"], "nobody knows");
}

#[test]
fn r43_each_database_by_itself() {
    let rules = "[rule.damaged]\nper = \"database\"\nif = [{ source = \"errors.corruption\", take = \"sum\", \
                 over_ms = 5000, above = 0 }]\n";
    let mut watched = Watched::new(rules);
    let database = |id| Scope::Database(model::DatabaseId(id));
    watched.measure(0.0, "errors.corruption", database(7), 1.0);
    watched.measure(0.0, "errors.corruption", database(8), 0.0);
    watched.measure(0.0, "errors.corruption", Scope::Server, 1.0);
    let changed = watched.step(0.0, &[]);
    assert_eq!(changed, [format!("+damaged@{}", database(7))]);
    assert_eq!(watched.step(6.0, &[]), [format!("-damaged@{}", database(7))]);
}

#[test]
fn the_evidence_has_the_values_and_stays_with_the_condition() {
    let mut watched = Watched::new(HOT);
    watched.step(0.0, &[("cpu_used_ratio", 0.91)]);
    watched.step(3.0, &[("cpu_used_ratio", 0.953)]);
    let raised = watched.detector.raised();
    assert_eq!(raised.len(), 1);
    assert_eq!(raised[0].evidence, "cpu_used_ratio 0.953 above 0.900");
    assert_eq!((raised[0].since, raised[0].declared), (watched.at(3.0), false));
}

#[test]
fn r42_the_filter_can_be_changed_while_it_works() {
    let mut watched = Watched::new("");
    watched.step(0.0, &[("cpu_used_ratio", 1.0), ("data_disk_used_ratio", 1.0)]);
    assert_eq!(watched.detector.passage(), Passage { seen: 2, passed: 2, dropped: 0 });
    watched.detector.set_filter(Filter::Performance);
    watched.step(1.0, &[("cpu_used_ratio", 1.0), ("data_disk_used_ratio", 1.0)]);
    assert_eq!(watched.detector.passage(), Passage { seen: 4, passed: 3, dropped: 0 });
}

#[test]
fn r42_what_does_not_pass_raises_nothing() {
    let mut watched = Watched::new("[rule.hot]\nif = [{ source = \"cpu_used_ratio\", above = 0.9 }]\n");
    watched.detector.set_filter(Filter::Failure);
    assert!(watched.step(0.0, &[("cpu_used_ratio", 1.0)]).is_empty());
    watched.detector.set_filter(Filter::All);
    assert_eq!(watched.step(1.0, &[("cpu_used_ratio", 1.0)]), ["+hot"]);
}

#[test]
fn an_external_source_means_what_its_posts_say() {
    let mut watched = Watched::new("");
    let source: Source = "external.rack".parse().expect("a name");
    watched.detector.set_filter(Filter::Failure);
    watched.step(0.0, &[("external.rack", 1.0)]);
    watched.detector.classify(&source, true, false);
    watched.step(0.0, &[("external.rack", 1.0)]);
    assert_eq!(watched.detector.passage(), Passage { seen: 2, passed: 1, dropped: 0 });
}

#[test]
fn r46_other_rules_while_it_works() {
    let mut watched = Watched::new("[rule.hot]\nif = [{ source = \"cpu_used_ratio\", above = 0.9 }]\n");
    assert_eq!(watched.step(0.0, &[("cpu_used_ratio", 1.0)]), ["+hot"]);
    let warm = Watched::new("[rule.warm]\nif = [{ source = \"cpu_used_ratio\", above = 0.5 }]\n");
    let rules = Arc::clone(warm.detector.rules());
    assert_eq!(shown(&watched.detector.replace_rules(rules)), ["-hot"]);
    assert_eq!(watched.step(1.0, &[]), ["+warm"], "samples stay");
}

#[test]
fn an_event_that_cannot_wait_is_looked_at_alone_and_at_once() {
    let rules = "[rule.failover]\nper = \"database\"\nif = [{ source = \"leaving\", above = 0 }]\n";
    let mut watched = Watched::new(rules);
    let (scope, leaving) = (Scope::Database(model::DatabaseId(3)), "leaving".parse().expect("a name"));
    watched.measure(0.0, "leaving", scope, 1.0);
    let changed = watched.detector.evaluate_source(&leaving, watched.at(0.0));
    assert_eq!(shown(&changed), [format!("+failover@{scope}")]);
    watched.measure(0.1, "leaving", scope, 0.0);
    let changed = watched.detector.evaluate_source(&leaving, watched.at(0.1));
    assert_eq!(shown(&changed), [format!("-failover@{scope}")]);
}

#[test]
fn too_many_sources_are_dropped_and_counted_and_old_ones_make_room() {
    let mut watched = Watched::new("");
    for id in 0..WINDOWS_MAX as u64 + 5 {
        watched.measure(0.0, "errors.58", Scope::Database(model::DatabaseId(id)), 1.0);
    }
    assert_eq!(watched.detector.passage().dropped, 5);
    watched.measure(100.0, "errors.58", Scope::Database(model::DatabaseId(1 << 40)), 1.0);
    assert_eq!((watched.detector.passage().dropped, watched.detector.windows.len()), (5, 1));
}
