use super::*;

const WELL: ServerHealth =
    ServerHealth { journal_us: Some(900), workers_us: Some(50), lag_us: Some(0), running: 1 };
const SLOW: ServerHealth = ServerHealth { workers_us: Some(2_000_000), ..WELL };

/// A slow query, alone, on a good server.
const ALONE: Evidence = Evidence {
    policy: OnTimeLimit::Auto,
    repeats: 0,
    confirmed: true,
    quick: 0,
    silent: Duration::from_millis(300),
    silent_max: Duration::from_millis(1_250),
    health: WELL,
    others: 0,
    elsewhere: 0,
    alternative: true,
};

fn judged(evidence: Evidence) -> (Blame, Measure) {
    let judgement = judge(&evidence, &Slowness::default());
    (judgement.blame, judgement.measure)
}

#[test]
fn the_evidence_decides_r21() {
    use Blame::{Query, Server};
    use Measure::{Cancel, Reassign};
    let silent = Duration::from_secs(2);
    let none = ServerHealth::default();
    for (what, evidence, blame, measure) in [
        ("a slow query on a good server", ALONE, Query, Cancel),
        ("the server does not confirm", Evidence { confirmed: false, ..ALONE }, Server, Reassign),
        ("not even if others were quick", Evidence { confirmed: false, quick: 9, ..ALONE }, Server, Reassign),
        ("it missed heartbeats", Evidence { silent, ..ALONE }, Server, Reassign),
        ("it missed them after quick answers", Evidence { silent, quick: 3, ..ALONE }, Server, Reassign),
        ("it feels slow", Evidence { health: SLOW, ..ALONE }, Server, Reassign),
        ("others get quick answers there", Evidence { health: SLOW, quick: 1, ..ALONE }, Query, Cancel),
        ("it has measured nothing", Evidence { health: none, ..ALONE }, Query, Cancel),
        ("one other timed out there", Evidence { others: 1, ..ALONE }, Query, Cancel),
        ("several timed out there", Evidence { others: 2, ..ALONE }, Server, Reassign),
        ("and on another as well", Evidence { others: 2, elsewhere: 2, ..ALONE }, Query, Cancel),
        ("and fewer on another", Evidence { others: 3, elsewhere: 2, ..ALONE }, Server, Reassign),
        ("but ours is quick", Evidence { others: 5, quick: 1, ..ALONE }, Query, Cancel),
    ] {
        assert_eq!(judged(evidence), (blame, measure), "{what}: {evidence:?}");
    }
}

#[test]
fn the_databases_policy_overrules_the_evidence_but_not_the_bounds_r21() {
    use Blame::{Query, Server};
    let slow = Evidence { health: SLOW, ..ALONE };
    let by = |policy: OnTimeLimit, evidence: Evidence| Evidence { policy, ..evidence };
    let (always, never) = (OnTimeLimit::Always, OnTimeLimit::Never);
    for (what, evidence, blame, measure) in [
        ("always, by a slow query", by(always, ALONE), Query, Measure::Reassign),
        ("always, by a slow server", by(always, slow), Server, Measure::Reassign),
        ("never, by a slow query", by(never, ALONE), Query, Measure::Cancel),
        ("never, by a slow server", by(never, slow), Server, Measure::CancelByPolicy),
        ("once again", Evidence { repeats: 1, ..slow }, Server, Measure::Reassign),
        ("twice again", Evidence { repeats: 2, ..slow }, Server, Measure::CancelRepeated),
        ("always, twice again", Evidence { repeats: 2, ..by(always, ALONE) }, Query, Measure::CancelRepeated),
        ("nobody else there", Evidence { alternative: false, ..slow }, Server, Measure::CancelAlone),
        ("always, alone", Evidence { alternative: false, ..by(always, ALONE) }, Query, Measure::CancelAlone),
        ("never, alone", Evidence { alternative: false, ..by(never, slow) }, Server, Measure::CancelByPolicy),
    ] {
        assert_eq!(judged(evidence), (blame, measure), "{what}: {evidence:?}");
    }
}

#[test]
fn every_way_of_being_slow_counts_from_its_threshold_on() {
    let slowness = Slowness::default();
    for (health, slow) in [
        (WELL, false),
        (ServerHealth::default(), false),
        (ServerHealth { journal_us: Some(499_999), ..WELL }, false),
        (ServerHealth { journal_us: Some(500_000), ..WELL }, true),
        (ServerHealth { workers_us: Some(249_999), ..WELL }, false),
        (ServerHealth { workers_us: Some(250_000), ..WELL }, true),
        (ServerHealth { lag_us: Some(249_999), ..WELL }, false),
        (ServerHealth { lag_us: Some(250_000), ..WELL }, true),
        (ServerHealth { running: 10_000, ..WELL }, false),
    ] {
        assert_eq!(slowness.shows(&health), slow, "{health}");
    }
}

#[test]
fn a_verdict_tells_its_evidence() {
    for (evidence, expected) in [
        (
            ALONE,
            "the query is to blame: the server is well (journal 0.9 ms, threads 0.1 ms, timers 0 ms, 1 running)",
        ),
        (
            Evidence { others: 2, alternative: false, ..ALONE },
            "the server is to blame: 2 other databases timed out on it lately; no other server could take the database",
        ),
        (
            Evidence { confirmed: false, policy: OnTimeLimit::Never, ..ALONE },
            "the server is to blame: it does not confirm that it has ended the request; on_time_limit is never",
        ),
    ] {
        assert_eq!(judge(&evidence, &Slowness::default()).to_string(), expected);
    }
}
