//! What servers are to do to journals, whichever server: purge those of dropped databases, make those of copies.
//!
//! The map remembers what is to be done until it is done, so a new leader goes on where the old one stopped.
//! Doing it twice does no harm.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{DatabaseId, Tenure};
use tokio::time::Instant;

/// Do this there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errand<T> {
    /// To which database.
    pub database: DatabaseId,
    /// What is to be done.
    pub what: T,
    /// Which server is to do it.
    pub on: Tenure,
}

/// What is going on and what has failed.
#[derive(Clone, Debug, Default)]
pub struct Errands {
    running: BTreeSet<DatabaseId>,
    not_before: BTreeMap<DatabaseId, Instant>,
    /// Counts errands begun, so that the servers take turns.
    turn: usize,
}

impl Errands {
    /// The errands to begin now: of these that are to be done, on these servers, at most so many at a time.
    pub fn begin<T>(
        &mut self,
        wanted: impl IntoIterator<Item = (DatabaseId, T)>,
        servers: &[Tenure],
        at_a_time: usize,
        now: Instant,
    ) -> Vec<Errand<T>> {
        let mut begun = Vec::new();
        if servers.is_empty() {
            return begun;
        }
        for (database, what) in wanted {
            if self.running.len() >= at_a_time {
                break;
            }
            let waits = self.not_before.get(&database).is_some_and(|not_before| now < *not_before);
            if !waits && self.running.insert(database) {
                begun.push(Errand { database, what, on: servers[self.turn % servers.len()] });
                self.turn = self.turn.wrapping_add(1);
            }
        }
        begun
    }

    /// Leaves a database alone until then: its owner is letting go of it.
    pub fn hold(&mut self, database: DatabaseId, until: Instant) {
        self.not_before.insert(database, until);
    }

    /// Its owner has let go, or never will.
    pub fn resume(&mut self, database: DatabaseId) {
        self.not_before.remove(&database);
    }

    /// An errand ended. One that failed is tried again later, on another server.
    pub fn ended(&mut self, database: DatabaseId, done: bool, retry: Duration, now: Instant) {
        self.running.remove(&database);
        if done {
            self.not_before.remove(&database);
        } else {
            self.not_before.insert(database, now + retry);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Epoch, Incarnation, ServerId};

    use super::*;

    const RETRY: Duration = Duration::from_secs(10);

    fn server(number: u32) -> Tenure {
        Tenure { server: ServerId(number), incarnation: Incarnation(1) }
    }

    fn dropped(count: u64) -> Vec<(DatabaseId, Epoch)> {
        (1..=count).map(|id| (DatabaseId(id), Epoch(2))).collect()
    }

    fn ids(purges: &[Errand<Epoch>]) -> Vec<u64> {
        purges.iter().map(|purge| purge.database.0).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn errands_are_bounded_and_begun_once() {
        let now = Instant::now();
        let mut errands = Errands::default();
        let first = errands.begin(dropped(5), &[server(1), server(2)], 2, now);
        assert_eq!(ids(&first), [1, 2]);
        assert_ne!(first[0].on, first[1].on, "servers take turns");
        assert_eq!(errands.begin(dropped(5), &[server(1)], 2, now), []);
        errands.ended(DatabaseId(1), true, RETRY, now);
        assert_eq!(ids(&errands.begin(dropped(5).split_off(1), &[server(1)], 2, now)), [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_errand_is_tried_again_after_a_while() {
        let now = Instant::now();
        let mut errands = Errands::default();
        errands.begin(dropped(1), &[server(1)], 2, now);
        errands.ended(DatabaseId(1), false, RETRY, now);
        assert_eq!(errands.begin(dropped(1), &[server(1)], 2, now), []);
        assert_eq!(ids(&errands.begin(dropped(1), &[server(1)], 2, now + RETRY)), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_purge_waits_for_the_owner_but_not_for_ever() {
        let now = Instant::now();
        let mut errands = Errands::default();
        errands.hold(DatabaseId(1), now + RETRY);
        errands.hold(DatabaseId(2), now + RETRY);
        assert_eq!(errands.begin(dropped(2), &[server(1)], 2, now), []);
        errands.resume(DatabaseId(2));
        assert_eq!(ids(&errands.begin(dropped(2), &[server(1)], 2, now)), [2]);
        assert_eq!(ids(&errands.begin(dropped(2), &[server(1)], 2, now + RETRY)), [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_server_nothing_begins() {
        assert_eq!(Errands::default().begin(dropped(1), &[], 2, Instant::now()), []);
    }
}
