//! Who has a session here, and since when each works on a request.
//!
//! A session that works costs two stores; only who looks for the longest looks at all.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::DatabaseId;
use tokio::time::Instant;

use crate::engine::InterruptHandle;

/// The sessions of a server. Cheap to clone.
#[derive(Clone)]
pub struct Roster(Arc<Shared>);

struct Shared {
    begun: Instant,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    last: u64,
    entries: BTreeMap<u64, Arc<Entry>>,
}

struct Entry {
    database: DatabaseId,
    interrupt: InterruptHandle,
    /// Microseconds from the roster's beginning at which the request began that is worked on; 0 when there is none.
    since: AtomicU64,
}

/// A session's place. It is forgotten when this is dropped.
pub struct Place {
    roster: Roster,
    id: u64,
    entry: Arc<Entry>,
}

/// The session works until this is dropped.
#[must_use]
pub struct Working(Arc<Entry>);

/// A session that works for long.
#[derive(Clone, Debug)]
pub struct Longest {
    /// In which database.
    pub database: DatabaseId,
    /// For how long.
    pub age: Duration,
    /// Cancels what it is doing.
    pub interrupt: InterruptHandle,
}

impl Default for Roster {
    fn default() -> Self {
        Self(Arc::new(Shared { begun: Instant::now(), table: Mutex::default() }))
    }
}

impl Roster {
    /// A session begins.
    pub fn enter(&self, database: DatabaseId, interrupt: InterruptHandle) -> Place {
        let entry = Arc::new(Entry { database, interrupt, since: AtomicU64::new(0) });
        let mut table = self.table();
        table.last += 1;
        let id = table.last;
        table.entries.insert(id, Arc::clone(&entry));
        Place { roster: self.clone(), id, entry }
    }

    /// The session that has worked on its request for longest, if that is at least so long.
    pub fn longest(&self, at_least: Duration) -> Option<Longest> {
        let table = self.table();
        let working = table.entries.values().map(|entry| (entry.since.load(Ordering::Relaxed), entry));
        let (since, entry) = working.filter(|(since, _)| *since > 0).min_by_key(|(since, _)| *since)?;
        let age = Duration::from_micros(self.now().saturating_sub(since));
        let (database, interrupt) = (entry.database, entry.interrupt.clone());
        (age >= at_least).then_some(Longest { database, age, interrupt })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_micros()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The session works from now on.
    pub fn working(&self) -> Working {
        self.entry.since.store(self.roster.now(), Ordering::Relaxed);
        Working(Arc::clone(&self.entry))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.roster.table().entries.remove(&self.id);
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.since.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_is_who_began_first_and_still_works() {
        let roster = Roster::default();
        let enter = |id| roster.enter(DatabaseId(id), InterruptHandle::default());
        let (one, two, idle) = (enter(1), enter(2), enter(3));
        assert!(roster.longest(Duration::ZERO).is_none(), "nobody works");
        let first = one.working();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let _second = two.working();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let longest = roster.longest(Duration::from_secs(1)).expect("two work");
        assert_eq!((longest.database, longest.age), (DatabaseId(1), Duration::from_secs(3)));
        drop(first);
        let longest = roster.longest(Duration::ZERO).expect("one works");
        assert_eq!((longest.database, longest.age), (DatabaseId(2), Duration::from_secs(1)));
        assert!(roster.longest(Duration::from_secs(2)).is_none(), "not for that long");
        drop((two, one, idle));
        assert!(roster.longest(Duration::ZERO).is_none(), "gone");
    }
}
