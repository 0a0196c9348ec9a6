//! Cancelling a session's running statement from another thread.
//!
//! A flag rather than `sqlite3_interrupt`: that call is racy, and hits the next statement when it comes late.
//! The flag is lowered at the start of each request, so a late cancel does nothing, as in PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

/// Why a statement is cancelled; it decides SQLSTATE and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum InterruptReason {
    /// The client's cancel request: 57014.
    User = 1,
    /// The server ends the statement because it took too long: 57014.
    Timeout = 2,
    /// The server is about to end the session: 57P01.
    Shutdown = 3,
    /// The server ends the statement to keep itself going: 53000.
    Protection = 4,
}

const RUNNING: u8 = 0x80;

#[derive(Debug, Default)]
struct Shared {
    /// `RUNNING` while a request is under way; the low bits are a reason, or 0.
    state: AtomicU8,
    notify: Notify,
}

/// Cancels what its session is doing. Cloneable, usable from any thread, harmless when late.
#[derive(Debug, Clone, Default)]
pub struct InterruptHandle(Arc<Shared>);

impl InterruptHandle {
    /// Cancels the running request; does nothing when none is running, except for [`InterruptReason::Shutdown`], which sticks.
    pub fn interrupt(&self, reason: InterruptReason) {
        let update = |state: u8| {
            let sticks = reason == InterruptReason::Shutdown;
            let wanted = (state & RUNNING != 0 && state & !RUNNING == 0) || sticks;
            wanted.then_some((state & RUNNING) | reason as u8)
        };
        if self.0.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, update).is_ok() {
            self.0.notify.notify_one();
        }
    }

    /// Waits until an interrupt arrives. One waiter: the session's shell, while it holds [`super::Step::Sleep`] or `Writer`.
    pub async fn interrupted(&self) {
        while self.pending().is_none() {
            self.0.notify.notified().await;
        }
    }

    /// The interrupt that waits to be acted on.
    pub fn pending(&self) -> Option<InterruptReason> {
        match self.0.state.load(Ordering::Relaxed) & !RUNNING {
            1 => Some(InterruptReason::User),
            2 => Some(InterruptReason::Timeout),
            3 => Some(InterruptReason::Shutdown),
            4 => Some(InterruptReason::Protection),
            _none => None,
        }
    }

    /// A request starts: from now on interrupts count.
    pub fn request_started(&self) {
        let update = |state: u8| Some(RUNNING | if state & !RUNNING == 3 { 3 } else { 0 });
        self.0
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, update)
            .expect("BUG: the update always answers");
    }

    /// The request is over: a cancel that comes now finds nothing.
    pub fn request_ended(&self) {
        let update = |state: u8| Some(if state & !RUNNING == 3 { 3 } else { 0 });
        self.0
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, update)
            .expect("BUG: the update always answers");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_outside_a_request_does_nothing() {
        let handle = InterruptHandle::default();
        handle.interrupt(InterruptReason::User);
        assert_eq!(handle.pending(), None);
        handle.request_started();
        handle.interrupt(InterruptReason::User);
        handle.interrupt(InterruptReason::Timeout);
        assert_eq!(handle.pending(), Some(InterruptReason::User), "the first reason stands");
        handle.request_ended();
        assert_eq!(handle.pending(), None);
    }

    #[test]
    fn a_shutdown_sticks_across_requests() {
        let handle = InterruptHandle::default();
        handle.interrupt(InterruptReason::Shutdown);
        handle.request_started();
        assert_eq!(handle.pending(), Some(InterruptReason::Shutdown));
        handle.request_ended();
        assert_eq!(handle.pending(), Some(InterruptReason::Shutdown));
    }
}
