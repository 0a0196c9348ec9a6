//! The one true time of a run, and what hosts take it for.
//!
//! A process simulates one run, on one thread, so these are plain statics.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use model::TimestampMs;

/// Milliseconds since the run began.
static NOW: AtomicU64 = AtomicU64::new(0);
/// How far the wall clock of the host that runs now is off.
static OFF: AtomicI64 = AtomicI64::new(0);
/// What a right wall clock shows at the beginning: 2026-01-01.
const BEGIN_MS: u64 = 1_767_225_600_000;

/// Milliseconds since the run began.
pub fn now() -> u64 {
    NOW.load(Ordering::Relaxed)
}

/// A millisecond has passed.
pub fn pass() {
    NOW.fetch_add(1, Ordering::Relaxed);
}

/// From now on a host runs whose wall clock is so far off.
pub fn enter(off_ms: i64) {
    OFF.store(off_ms, Ordering::Relaxed);
}

/// The wall clock of the host that runs.
pub fn wall() -> TimestampMs {
    TimestampMs((BEGIN_MS + now()).saturating_add_signed(OFF.load(Ordering::Relaxed)))
}

/// The same for the engine.
#[derive(Debug)]
pub struct EngineClock;

impl server::engine::Clock for EngineClock {
    fn unix_micros(&self) -> i64 {
        i64::try_from(wall().0).unwrap_or(i64::MAX).saturating_mul(1_000)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(now())
    }
}
