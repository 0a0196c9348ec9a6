//! How a server feels: what it measured of itself, told with every heartbeat.
//!
//! It shows that the *server* is slow rather than one of its queries: the store, the threads that engines run on, the
//! scheduling of the process itself. Judging it is the leader's business.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// What a server measured of itself within the last seconds. Times are medians in microseconds, or the age of a
/// measurement that has not ended yet when that is longer; `None` where nothing was measured lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerHealth {
    /// One append to a journal; on an idle server, one look into the store.
    pub journal_us: Option<u64>,
    /// A trivial job's way through the threads that engines run on.
    pub workers_us: Option<u64>,
    /// How much too late the process's own timers fire: a throttled CPU.
    pub lag_us: Option<u64>,
    /// Requests that are being worked on now.
    pub running: u64,
}

impl ServerHealth {
    /// See [`ServerHealth::journal_us`].
    pub fn journal(&self) -> Option<Duration> {
        self.journal_us.map(Duration::from_micros)
    }

    /// See [`ServerHealth::workers_us`].
    pub fn workers(&self) -> Option<Duration> {
        self.workers_us.map(Duration::from_micros)
    }

    /// See [`ServerHealth::lag_us`].
    pub fn lag(&self) -> Option<Duration> {
        self.lag_us.map(Duration::from_micros)
    }
}

impl fmt::Display for ServerHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = [("journal", self.journal()), ("threads", self.workers()), ("timers", self.lag())];
        for (what, time) in times {
            match time {
                Some(time) => write!(f, "{what} {} ms, ", millis(time))?,
                None => write!(f, "{what} not measured, ")?,
            }
        }
        write!(f, "{} running", self.running)
    }
}

/// Milliseconds with one digit.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_like_a_sentence() {
        let health =
            ServerHealth { journal_us: Some(1_234), workers_us: Some(900_000), lag_us: None, running: 2 };
        assert_eq!(health.to_string(), "journal 1.2 ms, threads 900 ms, timers not measured, 2 running");
    }
}
