//! Which servers live, as far as the leader can tell.
//!
//! The lease counts from *receiving* a heartbeat here and from *sending* it on the server, so the server stops first.
//! A new leader gives everybody one whole lease before it declares anybody dead, and so does a leader that did not run
//! for a while: heartbeats may have come and gone meanwhile.

use std::{collections::BTreeMap, time::Duration};

use model::{Incarnation, ServerId, Tenure};
use rpc::controller::ServerLoad;
use tokio::time::Instant;

/// The last heartbeat of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// In which life.
    pub incarnation: Incarnation,
    /// When it came.
    pub at: Instant,
    /// What it said.
    pub load: ServerLoad,
}

/// Watches the servers for one leader's reign.
#[derive(Clone, Debug)]
pub struct Liveness {
    lease: Duration,
    /// Nobody was watched before this.
    since: Instant,
    /// When time was last looked at.
    ticked: Instant,
    seen: BTreeMap<ServerId, Seen>,
}

impl Liveness {
    /// Begins now.
    pub fn new(lease: Duration, now: Instant) -> Self {
        Self { lease, since: now, ticked: now, seen: BTreeMap::new() }
    }

    /// A heartbeat or a registration came.
    pub fn heard(&mut self, tenure: Tenure, load: ServerLoad, now: Instant) {
        let seen = Seen { incarnation: tenure.incarnation, at: now, load };
        self.seen.insert(tenure.server, seen);
    }

    /// The last heartbeat of a server in this life.
    pub fn seen(&self, tenure: Tenure) -> Option<Seen> {
        self.seen.get(&tenure.server).filter(|seen| seen.incarnation == tenure.incarnation).copied()
    }

    /// How long a server has been silent, or not watched.
    pub fn silent(&self, tenure: Tenure, now: Instant) -> Duration {
        let last = self.seen(tenure).map_or(self.since, |seen| seen.at.max(self.since));
        now.saturating_duration_since(last)
    }

    /// Whether its lease has lapsed.
    pub fn lapsed(&self, tenure: Tenure, now: Instant) -> bool {
        self.silent(tenure, now) > self.lease
    }

    /// Time goes on: those of the servers that are up whose lease has lapsed. To be called several times a lease.
    pub fn tick(&mut self, up: impl IntoIterator<Item = Tenure>, now: Instant) -> Vec<Tenure> {
        if now.saturating_duration_since(self.ticked) > self.lease / 2 {
            self.since = now;
        }
        self.ticked = now;
        up.into_iter().filter(|tenure| self.lapsed(*tenure, now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3);
    const TICK: Duration = Duration::from_secs(1);
    const SERVER: Tenure = Tenure { server: ServerId(1), incarnation: Incarnation(1) };

    /// Ticks every second up to `seconds`; what expired at the last one.
    fn run(liveness: &mut Liveness, from: Instant, seconds: std::ops::RangeInclusive<u32>) -> Vec<Tenure> {
        seconds.map(|second| liveness.tick([SERVER], from + TICK * second)).last().unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_leader_waits_a_whole_lease_before_it_expires_anybody() {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, start);
        assert_eq!(run(&mut liveness, start, 1..=3), []);
        assert_eq!(run(&mut liveness, start, 4..=4), [SERVER]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_is_worth_one_lease() {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, start);
        liveness.heard(SERVER, ServerLoad::default(), start + TICK * 2);
        assert_eq!(run(&mut liveness, start, 1..=5), []);
        assert_eq!(run(&mut liveness, start, 6..=6), [SERVER]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_of_another_life_does_not_count() {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, start);
        let other = Tenure { incarnation: Incarnation(2), ..SERVER };
        liveness.heard(other, ServerLoad::default(), start + TICK * 3);
        assert_eq!(run(&mut liveness, start, 1..=4), [SERVER]);
        assert!(!liveness.lapsed(other, start + TICK * 4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_was_stopped_for_a_while_gives_everybody_a_new_lease() {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, start);
        assert_eq!(run(&mut liveness, start, 1..=1), []);
        assert_eq!(run(&mut liveness, start, 60..=63), []);
        assert_eq!(run(&mut liveness, start, 64..=64), [SERVER]);
    }
}
