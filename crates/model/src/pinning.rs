//! What operators say about placement: where a database must be, and whether databases are moved at all.

use serde::{Deserialize, Serialize};

use crate::{Name, ServerId, TimestampMs};

/// Where a database must be. Every mover obeys: load and distance, drains, failover and first requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PinnedTo {
    /// On this server only. While it is down, nobody serves the database, and while it drains, nobody else.
    Server(ServerId),
    /// On servers of this location only.
    Location(String),
}

/// Databases are not moved for load, distance or pins until an operator says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Who said so.
    pub by: Name,
    /// When.
    pub since: TimestampMs,
}
