//! Time as the engine sees it, passed in so that tests and the simulation own it.

use std::time::Duration;

/// A clock that any thread may read.
pub trait Clock: Send + Sync {
    /// Wall time in microseconds since 1970 (UTC), for `now()`.
    fn unix_micros(&self) -> i64;

    /// Monotonic time since a fixed moment, for statement deadlines.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: tokio::time::Instant,
}

impl SystemClock {
    /// Monotonic time counts from here.
    pub fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Clock for SystemClock {
    fn unix_micros(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}
