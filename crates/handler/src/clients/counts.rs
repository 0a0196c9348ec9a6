//! Requests by database and location, since the last report that was answered.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use model::DatabaseId;
use rpc::load::ClientCount;

/// Most pairs of database and location that are counted at a time. Sessions on further ones are not counted.
const PAIRS_MAX: usize = 100_000;

/// Where clients of a database are.
type Pair = (DatabaseId, Arc<str>);

/// All counts. A session counts on its own pair's, without a lock.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<HashMap<Pair, Arc<AtomicU64>>>);

/// What a session counts its requests on.
#[derive(Clone, Debug)]
pub(crate) struct Counted(Arc<AtomicU64>);

impl Counted {
    /// So many requests were answered.
    pub(crate) fn add(&self, requests: u64) {
        if requests > 0 {
            self.0.fetch_add(requests, Ordering::Relaxed);
        }
    }
}

impl Counts {
    /// Where requests for this database from this location are counted; nowhere when too many pairs are counted already.
    pub(crate) fn of(&self, database: DatabaseId, location: &Arc<str>) -> Option<Counted> {
        let mut counts = self.0.lock().expect("BUG: nothing panics while holding this lock");
        if let Some(count) = counts.get(&(database, location.clone())) {
            return Some(Counted(count.clone()));
        }
        if counts.len() >= PAIRS_MAX {
            return None;
        }
        let count = counts.entry((database, location.clone())).or_default();
        Some(Counted(count.clone()))
    }

    /// What was counted, at most so much of it, those with most requests. Forgets pairs that nobody counts on any more.
    pub(crate) fn told_next(&self, most: usize) -> Vec<ClientCount> {
        let mut counts = self.0.lock().expect("BUG: nothing panics while holding this lock");
        let mut next = Vec::new();
        counts.retain(|(database, location), count| {
            let requests = count.load(Ordering::Relaxed);
            if requests > 0 {
                let location = location.to_string();
                next.push(ClientCount { database: *database, location, requests });
            }
            requests > 0 || Arc::strong_count(count) > 1
        });
        drop(counts);
        next.sort_unstable_by_key(|count| std::cmp::Reverse(count.requests));
        next.truncate(most);
        next
    }

    /// This was told, and is not to be told again.
    pub(crate) fn told(&self, told: &[ClientCount]) {
        let counts = self.0.lock().expect("BUG: nothing panics while holding this lock");
        for ClientCount { database, location, requests } in told {
            if let Some(count) = counts.get(&(*database, location.as_str().into())) {
                count.fetch_sub(*requests, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_told_is_told_later_and_nothing_twice_r22() {
        let (counts, west) = (Counts::default(), Arc::from("west"));
        let counted = [1, 2, 3].map(|id| counts.of(DatabaseId(id), &west).expect("room"));
        for (counted, requests) in counted.iter().zip([5, 50, 20]) {
            counted.add(requests);
        }
        counts.of(DatabaseId(2), &west).expect("the same").add(10);
        let first = counts.told_next(2);
        let told: Vec<(u64, u64)> = first.iter().map(|count| (count.database.0, count.requests)).collect();
        assert_eq!(told, [(2, 60), (3, 20)]);
        counted[1].add(1);
        assert_eq!(counts.told_next(9).len(), 3, "the report was not answered");
        counts.told(&first);
        let next: Vec<u64> = counts.told_next(9).iter().map(|count| count.requests).collect();
        assert_eq!(next, [5, 1]);
    }

    #[test]
    fn pairs_that_nobody_counts_on_are_forgotten() {
        let (counts, west) = (Counts::default(), Arc::from("west"));
        let counted = counts.of(DatabaseId(1), &west).expect("room");
        counted.add(1);
        drop(counted);
        let told = counts.told_next(9);
        assert_eq!(told.len(), 1, "its last request is told first");
        counts.told(&told);
        assert_eq!(counts.told_next(9), []);
        assert!(counts.0.lock().expect("free").is_empty());
    }
}
