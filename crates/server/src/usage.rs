//! What databases use here: processor time of their statements, and requests, counted since each was loaded (R25).
//!
//! Counting costs one look at the thread's clock before and after a step of a session, and two additions; nothing is
//! allocated. The controllers are told once a second (`usage/telling.rs`), apart from heartbeats: a long report must not
//! delay a lease. Metrics by database's name are few and their number is bounded (`usage/top.rs`).

mod changed;
mod processor;
mod telling;
mod top;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

pub use self::{processor::Processor, telling::Teller, top::exposition};

/// What one database has used since it was loaded.
#[derive(Debug, Default)]
pub struct Used {
    cpu_ns: AtomicU64,
    requests: AtomicU64,
}

impl Used {
    /// So many requests came.
    pub fn requested(&self, requests: u64) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
    }

    /// Runs a part of its work on this thread.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let begun = clock(ClockId::ThreadCPUTime);
        let result = work();
        let used = clock(ClockId::ThreadCPUTime).saturating_sub(begun);
        self.cpu_ns.fetch_add(u64::try_from(used.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        result
    }

    /// Processor time in microseconds, and requests.
    pub fn counts(&self) -> (u64, u64) {
        (self.cpu_ns.load(Ordering::Relaxed) / 1_000, self.requests.load(Ordering::Relaxed))
    }
}

fn clock(id: ClockId) -> Duration {
    // Never negative: these clocks begin with the thread and with the process.
    Duration::try_from(clock_gettime(id)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps this thread busy for so much of its own time.
    fn burn(time: Duration) {
        let begun = clock(ClockId::ThreadCPUTime);
        while clock(ClockId::ThreadCPUTime).saturating_sub(begun) < time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn only_the_time_that_the_work_computes_is_counted_r25() {
        let used = Used::default();
        let before = clock(ClockId::ThreadCPUTime);
        used.run(|| burn(Duration::from_millis(20)));
        used.run(|| std::thread::sleep(Duration::from_millis(50)));
        let most = clock(ClockId::ThreadCPUTime).saturating_sub(before).as_micros();
        let (computed, _) = used.counts();
        assert!(computed >= 20_000 && u128::from(computed) <= most, "{computed} us, {most} us in all");
        used.requested(3);
        assert_eq!(used.counts().1, 3);
    }
}
