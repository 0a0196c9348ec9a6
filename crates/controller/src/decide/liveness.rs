//! Which servers live, as far as the leader can tell.
//!
//! Several witnesses speak of a server, and this is what each is worth:
//!
//! | witness | what follows |
//! |---|---|
//! | a refused connection, to the leader's own probe (unless switched off) | its life is over, at once, brake or not |
//! | another incarnation answers at its address | its life is over, at once, brake or not |
//! | no heartbeat for a lease | its life is over, unless the [brake](super::Brake) holds it |
//! | no heartbeat for a while | the leader probes it |
//! | a handler's report, of this epoch: refused, broken, no answer | the leader probes it; a report alone moves nothing |
//! | any number of handlers agreeing | the same: it may still answer the reads of others until its lease lapses |
//! | a report of an older epoch | nothing (R19) |
//! | an operator's word | its life is over, at once, brake or not |
//!
//! The lease counts from *receiving* a heartbeat here and from *sending* it on the server, which is given a little less of it
//! than is waited for here ([`Settings::lease_granted`](crate::Settings::lease_granted)): so the server stops first.
//! A new leader gives everybody one whole lease before it declares anybody dead, and so does a leader that did not run
//! for a while: heartbeats may have come and gone meanwhile.

use std::{collections::BTreeMap, time::Duration};

use model::{Incarnation, ServerId, Tenure};
use rpc::controller::ServerLoad;
use tokio::time::Instant;

use super::Silence;

/// The last heartbeat of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// In which life.
    pub incarnation: Incarnation,
    /// When it came.
    pub at: Instant,
    /// What it said.
    pub load: ServerLoad,
    /// Requests that it answers, per second, over some heartbeats.
    pub requests_per_second: f64,
}

/// How much the last heartbeat counts for the rate, against all earlier ones.
const RATE_WEIGHT: f64 = 0.3;

/// Watches the servers for one leader's reign.
#[derive(Clone, Debug)]
pub struct Liveness {
    lease: Duration,
    heartbeat: Duration,
    /// Nobody was watched before this.
    since: Instant,
    /// When time was last looked at.
    ticked: Instant,
    seen: BTreeMap<ServerId, Seen>,
}

impl Liveness {
    /// Begins now.
    pub fn new(lease: Duration, heartbeat: Duration, now: Instant) -> Self {
        Self { lease, heartbeat, since: now, ticked: now, seen: BTreeMap::new() }
    }

    /// A heartbeat or a registration came.
    pub fn heard(&mut self, tenure: Tenure, load: ServerLoad, now: Instant) {
        let requests_per_second = self.seen(tenure).map_or(0.0, |before| rate(&before, load, now));
        let seen = Seen { incarnation: tenure.incarnation, at: now, load, requests_per_second };
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

    /// Whether heartbeats are missing, so that somebody should look after it.
    pub fn overdue(&self, tenure: Tenure, now: Instant) -> bool {
        self.silent(tenure, now) > self.heartbeat * 3 / 2
    }

    /// How a server stands, for the brake. A silence is long once all that fell silent together show it: their last
    /// heartbeats lie up to one heartbeat apart.
    fn silence(&self, tenure: Tenure, now: Instant) -> Silence {
        let heartbeats = self.heartbeat * 5 / 4;
        let long = self.lease.saturating_sub(heartbeats).max(heartbeats).min(self.lease);
        match self.silent(tenure, now) {
            silent if silent > self.lease => Silence::Lapsed,
            silent if silent > long => Silence::Long,
            _ => Silence::None,
        }
    }

    /// Time goes on: how those stand that are up. To be called several times a lease.
    pub fn tick(&mut self, up: impl IntoIterator<Item = Tenure>, now: Instant) -> Vec<(Tenure, Silence)> {
        if now.saturating_duration_since(self.ticked) > self.lease / 2 {
            self.since = now;
        }
        self.ticked = now;
        up.into_iter().map(|tenure| (tenure, self.silence(tenure, now))).collect()
    }
}

fn rate(before: &Seen, load: ServerLoad, now: Instant) -> f64 {
    let seconds = now.saturating_duration_since(before.at).as_secs_f64();
    if seconds == 0.0 {
        return before.requests_per_second;
    }
    let fresh = load.requests_total.saturating_sub(before.load.requests_total) as f64 / seconds;
    before.requests_per_second * (1.0 - RATE_WEIGHT) + fresh * RATE_WEIGHT
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3);
    const HEARTBEAT: Duration = Duration::from_millis(500);
    const TICK: Duration = Duration::from_secs(1);
    const SERVER: Tenure = Tenure { server: ServerId(1), incarnation: Incarnation(1) };

    /// Ticks every second up to `seconds`; what expired at the last one.
    fn run(liveness: &mut Liveness, from: Instant, seconds: std::ops::RangeInclusive<u32>) -> Vec<Tenure> {
        let standing = seconds.map(|second| liveness.tick([SERVER], from + TICK * second)).last();
        let lapsed = standing.unwrap_or_default().into_iter().filter(|(_, how)| *how == Silence::Lapsed);
        lapsed.map(|(tenure, _)| tenure).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_leader_waits_a_whole_lease_before_it_expires_anybody() {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, HEARTBEAT, start);
        assert_eq!(run(&mut liveness, start, 1..=3), []);
        assert_eq!(run(&mut liveness, start, 4..=4), [SERVER]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_is_worth_one_lease() {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, HEARTBEAT, start);
        liveness.heard(SERVER, ServerLoad::default(), start + TICK * 2);
        assert_eq!(run(&mut liveness, start, 1..=5), []);
        assert_eq!(run(&mut liveness, start, 6..=6), [SERVER]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_heartbeat_of_another_life_does_not_count() {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, HEARTBEAT, start);
        let other = Tenure { incarnation: Incarnation(2), ..SERVER };
        liveness.heard(other, ServerLoad::default(), start + TICK * 3);
        assert_eq!(run(&mut liveness, start, 1..=4), [SERVER]);
        assert!(!liveness.lapsed(other, start + TICK * 4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leader_that_was_stopped_for_a_while_gives_everybody_a_new_lease() {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, HEARTBEAT, start);
        assert_eq!(run(&mut liveness, start, 1..=1), []);
        assert_eq!(run(&mut liveness, start, 60..=63), []);
        assert_eq!(run(&mut liveness, start, 64..=64), [SERVER]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_is_long_about_one_heartbeat_before_the_lease_lapses() {
        let start = Instant::now();
        for (lease_ms, heard_ms_ago, expected) in [
            (3_000, 2_300, Silence::None),
            (3_000, 2_400, Silence::Long),
            (3_000, 3_000, Silence::Long),
            (3_000, 3_001, Silence::Lapsed),
            (1_000, 600, Silence::None),
            (1_000, 700, Silence::Long),
            (1_000, 1_001, Silence::Lapsed),
        ] {
            let mut liveness = Liveness::new(Duration::from_millis(lease_ms), HEARTBEAT, start);
            let now = start + Duration::from_millis(heard_ms_ago);
            // Somebody looks often, so that nobody is given a new lease.
            liveness.ticked = now;
            liveness.heard(SERVER, ServerLoad::default(), start);
            assert_eq!(liveness.tick([SERVER], now), [(SERVER, expected)], "{lease_ms} {heard_ms_ago}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_is_looked_after_when_a_heartbeat_is_missing() {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, HEARTBEAT, start);
        liveness.heard(SERVER, ServerLoad::default(), start);
        assert!(!liveness.overdue(SERVER, start + Duration::from_millis(700)));
        assert!(liveness.overdue(SERVER, start + Duration::from_millis(800)));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_counted_by_the_second_over_some_heartbeats() {
        let start = Instant::now();
        let mut liveness = Liveness::new(LEASE, HEARTBEAT, start);
        for beat in 0..20 {
            let load = ServerLoad { requests_total: 50 * u64::from(beat), ..ServerLoad::default() };
            liveness.heard(SERVER, load, start + HEARTBEAT * beat);
        }
        let rate = liveness.seen(SERVER).expect("heard").requests_per_second;
        assert!((99.0..=100.0).contains(&rate), "{rate}");
        let restarted = Tenure { incarnation: Incarnation(2), ..SERVER };
        liveness.heard(restarted, ServerLoad::default(), start + HEARTBEAT * 20);
        assert_eq!(liveness.seen(restarted).expect("heard").requests_per_second, 0.0);
    }
}
