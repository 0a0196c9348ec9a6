use super::*;

fn at(number: u64) -> Position {
    Position::new(number).expect("in range")
}

fn listing(records: &[u64], snapshots: &[u64]) -> Listing {
    let sized = |numbers: &[u64]| numbers.iter().map(|n| (at(*n), 100)).collect();
    Listing { records: sized(records), snapshots: sized(snapshots), ..Listing::default() }
}

/// What is deleted: records as they are, snapshots negative.
fn deleted(listing: &Listing, oldest: u64, pinned: &[u64], fences: &[u64]) -> Vec<i64> {
    let needs = Needs { oldest: at(oldest), pinned: pinned.iter().map(|n| at(*n)).collect() };
    let fences: Vec<KeptFence> =
        fences.iter().map(|n| KeptFence { position: at(*n), at: TimestampMs(0) }).collect();
    let mut numbers: Vec<i64> = garbage(listing, &needs, &fences)
        .into_iter()
        .map(|name| match name {
            Name::Record(at) => at.get() as i64,
            Name::Snapshot(at) => -(at.get() as i64),
            Name::Tombstone(_) | Name::Pin(_) => panic!("{name:?} is never garbage"),
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn what_the_newest_snapshot_includes_is_garbage_but_not_its_own_record_nor_a_fence() {
    let listing = listing(&[1, 2, 3, 4, 5, 6, 7], &[2, 5]);
    assert_eq!(deleted(&listing, 5, &[], &[]), [-2, 1, 2, 3, 4]);
    assert_eq!(deleted(&listing, 5, &[], &[1, 3, 6]), [-2, 2, 4]);
}

#[test]
fn history_keeps_everything_from_its_oldest_snapshot_on() {
    assert_eq!(deleted(&listing(&[1, 2, 3, 4, 5, 6, 7], &[2, 4, 6]), 4, &[], &[]), [-2, 1, 2, 3]);
}

#[test]
fn a_pin_keeps_its_snapshot_and_the_records_up_to_it() {
    let listing = listing(&[1, 2, 3, 4, 5, 6, 7, 8, 9], &[2, 5, 8]);
    assert_eq!(deleted(&listing, 8, &[4], &[]), [-5, 1, 5, 6, 7]);
    assert_eq!(deleted(&listing, 8, &[1], &[]), [-5, -2, 2, 3, 4, 5, 6, 7], "before any snapshot");
    assert_eq!(deleted(&listing, 8, &[9], &[]), [-5, -2, 1, 2, 3, 4, 5, 6, 7], "after the newest");
}

#[test]
fn without_the_snapshot_nothing_is_garbage() {
    assert_eq!(deleted(&listing(&[1, 2, 3], &[]), 2, &[], &[]), Vec::<i64>::new());
}
