use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn at(number: u64) -> Position {
    Position::new(number).expect("in range")
}

fn outcome(session: u128, number: u64, len: usize) -> Outcome {
    let response = Response::new(vec![number as u8; len].into());
    Outcome { session: SessionId(session), number, response }
}

#[test]
fn a_request_that_committed_is_never_told_absent() {
    let mut table = OutcomeTable::default();
    for number in 1..=200u64 {
        table.apply(at(number), &[outcome(1, number, 10)]);
    }
    let settle = |number| table.settle(SessionId(1), number, None);
    assert_eq!(settle(200), Settled::Committed(Response::Kept(Bytes::from(vec![200; 10]))));
    assert_eq!(settle(200 - OUTCOMES_PER_SESSION as u64), Settled::Unknown, "evicted");
    assert_eq!(settle(201), Settled::Absent);
}

#[test]
fn a_gap_that_was_never_evicted_is_absent() {
    let mut table = OutcomeTable::default();
    table.apply(at(1), &[outcome(1, 5, 0), outcome(1, 9, 0)]);
    for (number, expected) in [(4, Settled::Absent), (7, Settled::Absent), (10, Settled::Absent)] {
        assert_eq!(table.settle(SessionId(1), number, None), expected, "{number}");
    }
    assert_eq!(table.settle(SessionId(2), 1, None), Settled::Absent, "nothing was ever evicted");
}

#[test]
fn the_quietest_session_leaves_first_and_is_unknown_unless_it_began_later() {
    let mut table = OutcomeTable::default();
    for session in 0..=OUTCOME_SESSIONS as u64 {
        table.apply(at(session + 10), &[outcome(session.into(), 3, 0)]);
    }
    assert_eq!(table.sessions(), OUTCOME_SESSIONS);
    assert_eq!(table.settle(SessionId(0), 3, None), Settled::Unknown);
    assert_eq!(
        table.settle(SessionId(u128::MAX), 1, None),
        Settled::Unknown,
        "a stranger may have been evicted"
    );
    assert_eq!(
        table.settle(SessionId(u128::MAX), 1, Some(at(10))),
        Settled::Absent,
        "it began after the eviction"
    );
    assert_eq!(table.settle(SessionId(0), 3, Some(at(9))), Settled::Unknown, "it began before it");
    assert_eq!(table.settle(SessionId(1), 4, None), Settled::Absent, "known, and nothing of it was evicted");
}

#[test]
fn many_long_responses_stay_within_the_bound_in_bytes() {
    let mut table = OutcomeTable::default();
    for session in 0..1000u64 {
        table.apply(at(session + 1), &[outcome(session.into(), 1, super::super::RESPONSE_MAX)]);
    }
    let mut encoded = Vec::new();
    table.encode(&mut encoded);
    assert!(encoded.len() < OUTCOME_BYTES * 11 / 10, "{} bytes", encoded.len());
    assert!(table.sessions() > 400, "and hold what fits: {}", table.sessions());
}

#[test]
fn a_response_that_is_too_long_is_known_by_its_length() {
    assert_eq!(Response::new(vec![0; super::super::RESPONSE_MAX + 1].into()), Response::TooLong(1025));
}

proptest! {
    #[test]
    fn what_is_said_is_true_and_survives_encoding(
        requests in proptest::collection::vec((0u128..9, 1u64..30, any::<bool>()), 1..700),
        evict in proptest::collection::vec(any::<bool>(), 0..8),
    ) {
        let mut table = OutcomeTable::default();
        let mut next: BTreeMap<u128, u64> = BTreeMap::new();
        let mut committed: BTreeMap<(u128, u64), Position> = BTreeMap::new();
        let mut position = Position::START;
        for (session, step, commits) in requests {
            position = position.next();
            let number = next.entry(session).or_default();
            *number += step;
            if commits {
                table.apply(position, &[outcome(session, *number, 3)]);
                committed.insert((session, *number), position);
            }
        }
        for _ in evict.iter().filter(|evict| **evict && table.sessions() > 0).collect::<Vec<_>>() {
            if table.sessions() > 0 {
                table.evict_quietest();
            }
        }
        for (session, last) in next {
            for number in 1..=last + 1 {
                let truth = committed.get(&(session, number));
                for begun in [None, Some(Position::START), truth.map(|p| at(p.get() - 1)), Some(position)] {
                    // A session that says it began after its own commit lies.
                    if begun.zip(truth).is_some_and(|(begun, truth)| begun >= *truth) {
                        continue;
                    }
                    match table.settle(SessionId(session), number, begun) {
                        Settled::Absent => prop_assert_eq!(truth, None),
                        Settled::Committed(_) => prop_assert!(truth.is_some()),
                        Settled::Unknown => {}
                    }
                }
            }
        }
        let mut encoded = Vec::new();
        table.encode(&mut encoded);
        let decoded = OutcomeTable::decode(&mut Bytes::from(encoded)).map_err(|_| TestCaseError::fail("malformed"))?;
        prop_assert_eq!(decoded, table);
    }
}
