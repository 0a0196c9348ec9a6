//! From when on a server counts as slow, by what it measures of itself.

use std::time::Duration;

use rpc::controller::ServerHealth;

use crate::limits::{SLOW_JOURNAL, SLOW_TIMERS, SLOW_WORKERS};

/// The thresholds. Reaching one of them is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slowness {
    /// One append to a journal, or a look into the store.
    pub journal: Duration,
    /// A trivial job's way through the threads.
    pub workers: Duration,
    /// The lag of timers.
    pub lag: Duration,
}

impl Default for Slowness {
    fn default() -> Self {
        Self { journal: SLOW_JOURNAL, workers: SLOW_WORKERS, lag: SLOW_TIMERS }
    }
}

impl Slowness {
    /// Whether a server that feels like this is slow. What was not measured says nothing.
    pub fn shows(&self, health: &ServerHealth) -> bool {
        let reached = |time: Option<Duration>, threshold| time.is_some_and(|time| time >= threshold);
        reached(health.journal(), self.journal)
            || reached(health.workers(), self.workers)
            || reached(health.lag(), self.lag)
    }
}
