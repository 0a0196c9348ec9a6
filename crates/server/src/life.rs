//! The present life of this server: what the controllers know it as.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{FleetId, Incarnation, ServerId};

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

    fn lock(&self) -> MutexGuard<'_, Option<Lived>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
