//! What shows that this server, rather than one of its queries, is slow: kept here, told with every heartbeat.
//!
//! Three times are measured by [`Vitals::watch`] and by whoever appends to a journal; see [`ServerHealth`].
//! A server that is slow in any of them is not to blame its clients' statements. What follows is the leader's decision.

mod samples;
mod watch;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rpc::controller::ServerHealth;
use tokio::time::Instant;

use self::samples::Samples;

/// The measurements of one server. Cheap to clone.
#[derive(Clone, Default)]
pub struct Vitals(Arc<Shared>);

#[derive(Default)]
struct Shared {
    measured: Mutex<Measured>,
    running: AtomicU64,
}

#[derive(Default)]
struct Measured {
    journal: Samples,
    workers: Samples,
    lag: Samples,
    disk: Samples,
}

/// A request is being worked on until this is dropped.
#[must_use]
pub struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Vitals {
    /// A session works on requests until the result is dropped.
    pub fn running(&self) -> Running {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(&self.0))
    }

    /// One append to a journal took so long.
    pub fn appended(&self, took: Duration) {
        self.measured().journal.add(Instant::now(), took);
    }

    /// A write to the disk of the working copies begins.
    pub fn disk_begins(&self, now: Instant) {
        self.measured().disk.begin(now);
    }

    /// It has ended.
    pub fn disk_ended(&self, now: Instant) {
        self.measured().disk.end(now);
    }

    /// How long such a write takes, or has taken until now when it hangs.
    pub fn disk(&self) -> Option<Duration> {
        self.measured().disk.typical(Instant::now())
    }

    /// How this server feels now.
    pub fn health(&self) -> ServerHealth {
        let now = Instant::now();
        let mut measured = self.measured();
        ServerHealth {
            journal_us: measured.journal.typical(now).map(micros),
            workers_us: measured.workers.typical(now).map(micros),
            lag_us: measured.lag.typical(now).map(micros),
            running: self.0.running.load(Ordering::Relaxed),
        }
    }

    fn measured(&self) -> MutexGuard<'_, Measured> {
        self.0.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_runs_is_counted_until_it_ends() {
        let vitals = Vitals::default();
        let (one, two) = (vitals.running(), vitals.running());
        assert_eq!(vitals.health().running, 2);
        drop((one, two));
        vitals.appended(Duration::from_millis(3));
        let health = vitals.health();
        assert_eq!((health.running, health.journal_us), (0, Some(3_000)));
        assert_eq!((health.workers_us, health.lag_us), (None, None), "nobody watches");
    }
}
