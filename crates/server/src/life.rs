//! The present life of this server: what the controllers know it as, and until when it may be sure of that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{FleetId, Incarnation, ServerId};
use tokio::time::Instant;

/// The present life, shared. Cheap to clone.
#[derive(Clone, Default)]
pub struct Life(Arc<Mutex<Option<Lived>>>);

/// A registered life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lived {
    /// Who it is.
    pub server: ServerId,
    /// In which life.
    pub incarnation: Incarnation,
    /// Of which fleet.
    pub fleet: FleetId,
    /// Until then no controller declares it dead: counted from the sending of the last acknowledged heartbeat.
    pub lease_until: Instant,
}

impl Life {
    /// What it is now; nothing before the first registration and between two lives.
    pub fn now(&self) -> Option<Lived> {
        *self.lock()
    }

    /// A life begins.
    pub fn begin(&self, lived: Lived) {
        *self.lock() = Some(lived);
    }

    /// It is over.
    pub fn end(&self) {
        *self.lock() = None;
    }

    /// A heartbeat was acknowledged; the lease never shrinks.
    pub fn renew(&self, until: Instant) {
        if let Some(lived) = &mut *self.lock() {
            lived.lease_until = lived.lease_until.max(until);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Lived>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
