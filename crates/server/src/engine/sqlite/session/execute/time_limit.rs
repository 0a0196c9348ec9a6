//! Ends statements that are cancelled or take too long, and turns `pg_sleep` into a wait outside of SQLite.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wire::sqlstate;

use super::super::super::sql_error::SqlError;
use crate::engine::{Clock, InterruptHandle, InterruptReason};

const NEVER: u64 = u64::MAX;

/// Shared by the session and the hook that SQLite calls while it works.
pub(in super::super::super) struct TimeLimit {
    interrupt: InterruptHandle,
    clock: Arc<dyn Clock>,
    /// Microseconds on the clock.
    deadline: AtomicU64,
    /// Microseconds that `pg_sleep` was asked for and that are still to be waited.
    sleep: AtomicU64,
}

impl TimeLimit {
    pub fn new(interrupt: InterruptHandle, clock: Arc<dyn Clock>) -> Self {
        Self { interrupt, clock, deadline: AtomicU64::new(NEVER), sleep: AtomicU64::new(0) }
    }

    fn now(&self) -> u64 {
        micros(self.clock.elapsed())
    }

    /// A statement starts; zero is no limit.
    pub fn start(&self, limit: Duration) {
        let deadline = if limit.is_zero() { NEVER } else { self.now().saturating_add(micros(limit)) };
        self.deadline.store(deadline, Ordering::Relaxed);
        self.sleep.store(0, Ordering::Relaxed);
    }

    /// Why the statement must end now, if it must.
    fn reason(&self) -> Option<InterruptReason> {
        let late = || {
            let deadline = self.deadline.load(Ordering::Relaxed);
            (deadline != NEVER && self.now() >= deadline).then_some(InterruptReason::Timeout)
        };
        self.interrupt.pending().or_else(late)
    }

    /// Called by SQLite every thousand instructions or so: `true` ends the statement.
    pub fn exceeded(&self) -> bool {
        self.reason().is_some()
    }

    pub fn check(&self) -> Result<(), SqlError> {
        self.reason().map_or(Ok(()), |reason| Err(canceled(reason)))
    }

    /// `pg_sleep` was called: the session waits once SQLite has returned.
    pub fn add_sleep(&self, duration: Duration) {
        self.sleep.fetch_add(micros(duration), Ordering::Relaxed);
    }

    pub fn take_sleep(&self) -> Option<Duration> {
        let wanted = self.sleep.swap(0, Ordering::Relaxed);
        (wanted > 0).then(|| Duration::from_micros(wanted))
    }

    /// The shorter of a wait and what is left for the statement.
    pub fn until_deadline(&self, wait: Duration) -> Duration {
        let left = self.deadline.load(Ordering::Relaxed).saturating_sub(self.now());
        wait.min(Duration::from_micros(left))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(NEVER - 1)
}

/// What the client of a cancelled statement reads.
pub(in super::super) fn canceled(reason: InterruptReason) -> SqlError {
    match reason {
        InterruptReason::User => {
            SqlError::new(sqlstate::QUERY_CANCELED, "canceling statement due to user request")
        }
        InterruptReason::Timeout => {
            SqlError::new(sqlstate::QUERY_CANCELED, "canceling statement due to statement timeout")
        }
        InterruptReason::Protection => SqlError::new(
            sqlstate::INSUFFICIENT_RESOURCES,
            "canceling statement because the server is running out of resources",
        )
        .hint("It had run for longest. Try again later, or with less to do."),
        InterruptReason::Shutdown => {
            SqlError::new(sqlstate::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
                .fatal()
        }
    }
}
