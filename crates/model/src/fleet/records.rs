//! What the map keeps of each thing.

use serde::{Deserialize, Serialize};

use crate::{Epoch, Incarnation, Name, Registration, Tenure, TimestampMs};

/// A database. Small: there are millions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its unique name.
    pub name: Name,
    /// How many owners it has had.
    pub epoch: Epoch,
    /// The server it was given to last, and in which life. Ask [`Fleet::owner`](crate::Fleet::owner) whether that life goes on.
    pub owner: Option<Tenure>,
}

/// A server, in its present life or its last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// The operator's name for it.
    pub name: Name,
    /// Its PostgreSQL port, `host:port`.
    pub data_address: String,
    /// Its control port, `host:port`.
    pub control_address: String,
    /// Region, zone or rack.
    pub location: String,
    /// How much it can carry, relative to the others.
    pub capacity: u32,
    /// Its present or last life.
    pub incarnation: Incarnation,
    /// Whether that life goes on.
    pub state: ServerState,
    /// When that life began.
    pub registered_at: TimestampMs,
}

/// Whether a server may own databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServerState {
    /// It may.
    Up,
    /// Its life is over; it owns nothing.
    Down,
    /// It is being emptied: it keeps what it owns until that is moved, and gets nothing new.
    Draining,
}

impl ServerState {
    /// Whether its life goes on.
    pub fn is_alive(self) -> bool {
        match self {
            Self::Up | Self::Draining => true,
            Self::Down => false,
        }
    }
}

impl Server {
    /// Whether it is up, draining or not, in that very life.
    pub fn is_up_as(&self, incarnation: Incarnation) -> bool {
        self.state.is_alive() && self.incarnation == incarnation
    }

    pub(super) fn new(registration: &Registration, incarnation: Incarnation, at: TimestampMs) -> Self {
        let Registration { name, data_address, control_address, location, capacity } = registration.clone();
        Self {
            name,
            data_address,
            control_address,
            location,
            capacity,
            incarnation,
            state: ServerState::Up,
            registered_at: at,
        }
    }
}

/// A handler: a front door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handler {
    /// The operator's name for it.
    pub name: Name,
    /// Where clients and other handlers reach it, `host:port`.
    pub address: String,
    /// Region, zone or rack.
    pub location: String,
    /// When it was first or last seen to start.
    pub registered_at: TimestampMs,
}

/// A user who may log in at a handler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// PostgreSQL's text form of a SCRAM-SHA-256 verifier. The password is nowhere.
    pub verifier: String,
}
