use model::{DatabaseId, FleetId, Incarnation};

use super::*;
use crate::record::Encoding;

/// A record that follows `state`, by the writer of `epoch`.
fn next(state: &State, kind: Kind, epoch: u64) -> Record {
    let header = Header {
        kind,
        encoding: Encoding::Raw,
        fleet: FleetId(1),
        database: DatabaseId(1),
        epoch: Epoch(epoch),
        position: state.position.next(),
        nonce: Nonce { process: Incarnation(epoch), opening: 1 },
        previous: state.hash,
        at: TimestampMs(1000),
        first_transaction: if kind == Kind::Data { state.transactions + 1 } else { 0 },
        transactions: u32::from(kind == Kind::Data),
        page_size: state.page_size,
        image_pages: state.image_pages,
        page_count: 0,
        outcome_count: 0,
        raw_len: 0,
        body_len: 0,
    };
    let hash = RecordHash(u128::from(header.position.get()) << 64 | u128::from(epoch));
    Record { header, outcomes: Vec::new(), pages: Vec::new(), base: None, hash, size: 144 }
}

fn after(records: &[(Kind, u64)]) -> State {
    let mut state = State::default();
    for (kind, epoch) in records {
        let record = next(&state, *kind, *epoch);
        state.apply(&record).unwrap_or_else(|damage| panic!("{kind:?} {epoch}: {damage}"));
    }
    state
}

#[test]
fn a_log_goes_on_only_as_the_protocol_allows() {
    use Kind::{Base, Data, Drop, Fence, Pin, Seal, Snapshot};
    let open = &[(Fence, 1), (Data, 1)][..];
    for (before, (kind, epoch), allowed) in [
        (&[][..], (Data, 1), false),
        (&[], (Fence, 1), true),
        (&[], (Base, 1), true),
        (open, (Data, 1), true),
        (open, (Seal, 1), true),
        (open, (Drop, 1), true),
        (open, (Fence, 2), true),
        (open, (Data, 2), false),
        (open, (Fence, 0), false),
        (open, (Base, 1), false),
        (open, (Snapshot, 1), false),
        (open, (Pin, 1), false),
        (&[(Fence, 1), (Seal, 1)], (Data, 1), false),
        (&[(Fence, 1), (Seal, 1)], (Fence, 2), true),
        (&[(Fence, 1), (Drop, 1)], (Fence, 2), false),
    ] {
        let mut state = after(before);
        let unchanged = state.clone();
        let applied = state.apply(&next(&unchanged, kind, epoch));
        assert_eq!(applied.is_ok(), allowed, "{kind:?} of epoch {epoch} after {before:?}: {applied:?}");
        assert!(allowed || state == unchanged, "a refused record leaves no trace");
    }
}

#[test]
fn a_record_must_follow_the_very_one_before_it() {
    let state = after(&[(Kind::Fence, 1), (Kind::Data, 1)]);
    let change = |change: fn(&mut Header)| {
        let mut record = next(&state, Kind::Data, 1);
        change(&mut record.header);
        state.clone().apply(&record).expect_err("refused")
    };
    assert!(matches!(change(|h| h.previous = RecordHash(1)), Damage::Chain { .. }));
    assert!(matches!(change(|h| h.epoch = Epoch(0)), Damage::EpochWentBack { .. }));
    assert!(matches!(change(|h| h.nonce.opening = 2), Damage::Nonsense(_)));
    assert!(matches!(change(|h| h.first_transaction += 1), Damage::Nonsense(_)));
}

#[test]
fn the_page_size_never_changes_and_only_data_changes_the_image() {
    let mut state = after(&[(Kind::Fence, 1)]);
    let mut data = next(&state, Kind::Data, 1);
    (data.header.page_size, data.header.image_pages) = (4096, 7);
    state.apply(&data).expect("the first pages");
    let mut other = next(&state, Kind::Data, 1);
    other.header.page_size = 8192;
    assert!(matches!(state.clone().apply(&other), Err(Damage::Nonsense(_))));
    let mut fence = next(&state, Kind::Fence, 2);
    fence.header.image_pages = 8;
    assert!(matches!(state.clone().apply(&fence), Err(Damage::Nonsense(_))));
}

#[test]
fn only_a_fence_that_follows_no_seal_is_kept() {
    use Kind::{Data, Fence, Seal};
    let state = after(&[(Fence, 1), (Data, 1), (Fence, 2), (Seal, 2), (Fence, 3), (Fence, 4)]);
    let kept: Vec<u64> = state.fences.iter().map(|fence| fence.position.get()).collect();
    assert_eq!(kept, [3, 6]);
}

#[test]
fn old_fences_are_forgotten_but_never_the_newest() {
    let life = FENCE_LIFE.as_millis() as u64;
    let mut state = State::default();
    for epoch in 1..=100 {
        let mut fence = next(&state, Kind::Fence, epoch);
        fence.header.at = TimestampMs(1000 + epoch);
        state.apply(&fence).expect("applied");
    }
    assert_eq!(state.fences.len(), 99);
    let mut late = next(&state, Kind::Fence, 101);
    late.header.at = TimestampMs(1000 + 100 + life);
    state.apply(&late).expect("applied");
    assert_eq!(state.fences.len(), FENCES_KEPT.max(2));
    assert_eq!(state.fences.last().map(|fence| fence.position.get()), Some(101));
}
