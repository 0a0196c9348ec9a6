//! Which databases timed out where lately: one alone says something of its queries, many on one server of the server.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use model::{DatabaseId, Epoch, ServerId};
use tokio::time::Instant;

use super::Judgement;

/// The overruns of one leader's reign, the newest, within a window.
#[derive(Clone, Debug)]
pub struct Overruns {
    window: Duration,
    kept_max: usize,
    kept: VecDeque<(Instant, ServerId, DatabaseId)>,
    /// Why a database was taken from the server that had it under that epoch.
    judged: BTreeMap<DatabaseId, (Instant, Epoch, Judgement)>,
}

impl Overruns {
    /// None yet.
    pub fn new(window: Duration, kept_max: usize) -> Self {
        Self { window, kept_max: kept_max.max(1), kept: VecDeque::new(), judged: BTreeMap::new() }
    }

    /// A request for a database timed out on a server.
    pub fn note(&mut self, server: ServerId, database: DatabaseId, now: Instant) {
        self.forget(now);
        if self.kept.len() == self.kept_max {
            self.kept.pop_front();
        }
        self.kept.push_back((now, server, database));
    }

    /// How many other databases timed out on this server, and the most that did on any other one.
    pub fn around(&mut self, server: ServerId, database: DatabaseId, now: Instant) -> (usize, usize) {
        self.forget(now);
        let mut by_server: BTreeMap<ServerId, BTreeSet<DatabaseId>> = BTreeMap::new();
        for (_, server, other) in self.kept.iter().filter(|(_, _, other)| *other != database) {
            by_server.entry(*server).or_default().insert(*other);
        }
        let here = by_server.remove(&server).map_or(0, |databases| databases.len());
        (here, by_server.values().map(BTreeSet::len).max().unwrap_or(0))
    }

    /// Where this database timed out.
    pub fn servers(&mut self, database: DatabaseId, now: Instant) -> BTreeSet<ServerId> {
        self.forget(now);
        self.kept.iter().filter(|(_, _, other)| *other == database).map(|(_, server, _)| *server).collect()
    }

    /// A database is taken from the server that has it under this epoch.
    pub fn judged(&mut self, database: DatabaseId, epoch: Epoch, judgement: Judgement, now: Instant) {
        self.forget(now);
        self.judged.insert(database, (now, epoch, judgement));
    }

    /// Why a database was taken from the server that had it under this epoch, if that was lately.
    pub fn why(&self, database: DatabaseId, epoch: Epoch) -> Option<Judgement> {
        let (_, of, judgement) = self.judged.get(&database)?;
        (*of == epoch).then_some(*judgement)
    }

    fn forget(&mut self, now: Instant) {
        let old = |at: &Instant| now.saturating_duration_since(*at) > self.window;
        while self.kept.front().is_some_and(|(at, ..)| old(at)) {
            self.kept.pop_front();
        }
        self.judged.retain(|_, (at, ..)| !old(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(30);

    #[test]
    fn databases_are_counted_once_by_server_and_without_our_own() {
        let now = Instant::now();
        let mut overruns = Overruns::new(WINDOW, 100);
        for (server, database) in [(1, 10), (1, 11), (1, 11), (1, 12), (2, 20), (3, 30), (3, 31)] {
            overruns.note(ServerId(server), DatabaseId(database), now);
        }
        assert_eq!(overruns.around(ServerId(1), DatabaseId(10), now), (2, 2));
        assert_eq!(overruns.around(ServerId(2), DatabaseId(20), now), (0, 3));
        assert_eq!(overruns.around(ServerId(3), DatabaseId(99), now), (2, 3));
        assert_eq!(overruns.servers(DatabaseId(11), now), [ServerId(1)].into());
        assert_eq!(overruns.servers(DatabaseId(99), now), [].into());
    }

    #[test]
    fn they_are_forgotten_after_the_window_and_beyond_the_bound() {
        let now = Instant::now();
        let mut overruns = Overruns::new(WINDOW, 2);
        for database in 1..=3 {
            overruns.note(ServerId(1), DatabaseId(database), now);
        }
        assert_eq!(overruns.around(ServerId(1), DatabaseId(9), now).0, 2);
        assert_eq!(overruns.around(ServerId(1), DatabaseId(9), now + WINDOW).0, 2);
        assert_eq!(overruns.around(ServerId(1), DatabaseId(9), now + WINDOW * 2), (0, 0));
    }
}
