//! Entries that share a value of the database are dropped one by one, at either end, and a restart finds the rest.

use openraft::{RaftLogReader as _, storage::RaftLogStorage};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Store, codec, open, temp};
use crate::raft::LogId;

/// The places of all entries, and that of the last purged one.
async fn places(store: &mut Store) -> (Option<LogId>, Vec<LogId>) {
    let entries = store.log.get_log_reader().await.try_get_log_entries(..).await.expect("in memory");
    let purged = store.log.get_log_state().await.expect("in memory").last_purged_log_id;
    (purged, entries.iter().map(|entry| entry.log_id).collect())
}

#[tokio::test]
async fn a_restart_finds_the_log_as_it_was_wherever_it_was_cut() {
    for seed in 0..8 {
        let mut random = StdRng::seed_from_u64(seed);
        let dir = temp();
        let mut store = open(dir.path()).await.expect("an empty directory");
        let (mut start, mut next) = (0, 0);
        for term in 1..40 {
            let count = random.random_range(1..400);
            store.append(term, next..=next + count - 1).await;
            next += count;
            if random.random_bool(0.4) {
                let keep = random.random_range(start..next);
                let (_, places) = places(&mut store).await;
                let after = places.iter().find(|place| place.index == keep).copied();
                store.log.truncate_after(after).await.expect("an open log");
                next = keep + 1;
            }
            if random.random_bool(0.3) {
                let upto = random.random_range(start..next);
                store.log.purge(codec::log_id(term, 1, upto)).await.expect("an open log");
                start = upto + 1;
                // An entry more, so that there always is one.
                store.append(term, next..=next).await;
                next += 1;
            }
            if random.random_bool(0.3) {
                let before = places(&mut store).await;
                store.close().await;
                store = open(dir.path()).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                assert_eq!(places(&mut store).await, before, "seed {seed}");
                assert_eq!(before.1.len() as u64, next - start, "seed {seed}");
            }
        }
        store.close().await;
    }
}
