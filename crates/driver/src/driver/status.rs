//! A driver's state for people (R66): what directives are in force, what failed, what each client is doing.

use std::time::Instant;

use directive::receiver::status::Status as Directives;
use serde::Serialize;

use super::Shared;
use crate::meter::Counts;

/// A driver's state. Serializes for a diagnosis page.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// What servers said, and what became of it.
    pub directives: Directives,
    /// Addresses that are left alone after failures, with the milliseconds until one client tries again.
    pub left_alone: Vec<(String, u64)>,
    /// How many tries beyond the first the driver has left at present.
    pub retries_left: u32,
    /// What happened so far.
    pub counts: Counts,
    /// What is collected at present, by name (R76).
    pub collecting: Vec<String>,
    /// Reports that no destination took, and that were dropped for newer ones.
    pub reports_dropped: u64,
    /// Each client.
    pub clients: Vec<ClientStatus>,
}

/// One client's state.
#[derive(Debug, Clone, Serialize)]
pub struct ClientStatus {
    /// Where its session is, if it has one that is not being changed just now.
    pub address: Option<String>,
    /// The logical name that it was opened for.
    pub source: Option<String>,
    /// Whether a transaction is open.
    pub in_transaction: bool,
    /// What keeps it from being moved.
    pub pinned_by: Option<&'static str>,
    /// How many sessions it has had.
    pub sessions: u64,
    /// How the last attempt to move it ended.
    pub last_switch: Option<String>,
}

impl Shared {
    pub(crate) fn status(&self) -> Status {
        let (left_alone, retries_left) = (self.breakers().open(Instant::now()), self.budget().left());
        // Each lock for itself: others take them together, in an order of their own.
        let directives = self.processor.state().status(self.processor.now());
        Status {
            directives,
            left_alone: left_alone.into_iter().map(|(at, left)| (at, crate::processor::ms(left))).collect(),
            retries_left,
            counts: self.meter.counts(),
            collecting: self.telemetry.names(),
            reports_dropped: self.telemetry.dropped(),
            clients: self.links().iter().map(|link| link.status()).collect(),
        }
    }
}
