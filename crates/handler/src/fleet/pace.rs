//! How long requests for a database may take, and how they do: shared by all sessions of this handler on it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{DatabaseId, DatabaseOptions, Revision};

/// One database's pace. Read with every request, so that a new limit counts at once for sessions that are there.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Zero is no limit.
    limit_ms: AtomicU32,
    /// Of what was told last.
    revision: AtomicU64,
    quick: AtomicU64,
}

impl Pace {
    /// How long a request may take, if that is limited.
    pub(crate) fn limit(&self) -> Option<Duration> {
        let limit_ms = self.limit_ms.load(Ordering::Relaxed);
        (limit_ms > 0).then(|| Duration::from_millis(limit_ms.into()))
    }

    /// The database's options at a revision of the map; older ones than are known change nothing.
    pub(crate) fn tell(&self, options: &DatabaseOptions, revision: Revision) {
        if self.revision.fetch_max(revision.0, Ordering::AcqRel) <= revision.0 {
            let limit_ms = options.time_limit_ms.map_or(0, |ms| ms.get());
            self.limit_ms.store(limit_ms, Ordering::Relaxed);
        }
    }

    /// So many requests were answered in a small part of the limit.
    pub(crate) fn answered_quickly(&self, requests: u64) {
        self.quick.fetch_add(requests, Ordering::Relaxed);
    }

    /// How many were, ever.
    pub(crate) fn quick(&self) -> u64 {
        self.quick.load(Ordering::Relaxed)
    }
}

/// The paces of all databases that have sessions here.
#[derive(Debug, Default)]
pub(super) struct Paces(Mutex<HashMap<DatabaseId, Weak<Pace>>>);

/// Fewer entries than this are not searched for old ones.
const PURGE_MIN: usize = 1_024;

impl Paces {
    /// The pace of a database whose options were these at a revision.
    pub(super) fn of(&self, id: DatabaseId, options: &DatabaseOptions, revision: Revision) -> Arc<Pace> {
        let mut paces = self.0.lock().expect("BUG: nothing panics while holding this lock");
        if paces.len() >= PURGE_MIN && paces.len() == paces.capacity() {
            paces.retain(|_, pace| pace.strong_count() > 0);
        }
        let known = paces.get(&id).and_then(Weak::upgrade);
        let pace = known.unwrap_or_default();
        pace.tell(options, revision);
        paces.insert(id, Arc::downgrade(&pace));
        pace
    }

    /// A database's options are these now.
    pub(super) fn changed(&self, id: DatabaseId, options: &DatabaseOptions, revision: Revision) {
        let paces = self.0.lock().expect("BUG: nothing panics while holding this lock");
        if let Some(pace) = paces.get(&id).and_then(Weak::upgrade) {
            pace.tell(options, revision);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::DatabaseOption;

    use super::*;

    fn options(limit: &str) -> DatabaseOptions {
        let mut options = DatabaseOptions::default();
        options.set(DatabaseOption::parse("time_limit", limit).expect("a limit"));
        options
    }

    #[test]
    fn sessions_learn_a_new_limit_and_no_older_one() {
        let paces = Paces::default();
        let pace = paces.of(DatabaseId(1), &options("none"), Revision(3));
        assert_eq!(pace.limit(), None);
        paces.changed(DatabaseId(1), &options("2s"), Revision(5));
        assert_eq!(pace.limit(), Some(Duration::from_secs(2)));
        paces.changed(DatabaseId(1), &options("9s"), Revision(4));
        assert!(Arc::ptr_eq(&pace, &paces.of(DatabaseId(1), &options("none"), Revision(3))));
        assert_eq!(pace.limit(), Some(Duration::from_secs(2)));
        paces.changed(DatabaseId(1), &options("none"), Revision(6));
        assert_eq!(pace.limit(), None);
    }

    #[test]
    fn databases_without_sessions_are_forgotten() {
        let paces = Paces::default();
        for id in 0..10 * PURGE_MIN as u64 {
            paces.of(DatabaseId(id), &options("1s"), Revision(1));
        }
        assert!(paces.0.lock().expect("no panics").len() < 4 * PURGE_MIN);
    }
}
