//! What a driver counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::protocol::DialError;

/// Counters.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    calls: AtomicU64,
    failed: AtomicU64,
    repeated: AtomicU64,
    sessions: AtomicU64,
    broken: AtomicU64,
    switches: AtomicU64,
    refused: AtomicU64,
}

/// What happened so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Calls of the application.
    pub calls: u64,
    /// Those that ended in an error.
    pub failed: u64,
    /// Requests that were sent again.
    pub repeated: u64,
    /// Sessions that were opened.
    pub sessions: u64,
    /// Sessions that broke.
    pub broken: u64,
    /// Sessions that were moved by a directive.
    pub switches: u64,
    /// Attempts to connect that failed.
    pub refused: u64,
}

impl Meter {
    pub(crate) fn called(&self, failed: bool) {
        add(&self.calls);
        if failed {
            add(&self.failed);
        }
    }

    pub(crate) fn repeated(&self) {
        add(&self.repeated);
    }

    pub(crate) fn opened(&self) {
        add(&self.sessions);
    }

    pub(crate) fn switched(&self) {
        add(&self.switches);
    }

    pub(crate) fn broken(&self, error: &tokio_postgres::Error) {
        tracing::debug!(%error, "a session broke");
        add(&self.broken);
    }

    /// A server or its network did not take us.
    pub(crate) fn refused(&self, database: &str, error: &DialError) {
        tracing::debug!(database, %error, "no session was opened");
        add(&self.refused);
    }

    pub(crate) fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            calls: get(&self.calls),
            failed: get(&self.failed),
            repeated: get(&self.repeated),
            sessions: get(&self.sessions),
            broken: get(&self.broken),
            switches: get(&self.switches),
            refused: get(&self.refused),
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
