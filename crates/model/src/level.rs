//! What controllers of different releases agree to say to each other.
//!
//! A release that adds to what the log or a snapshot may say raises [`Level::NEWEST`] by one and gives what it added that
//! level. The map's own level is the newest that *all* controllers know: a leader proposes nothing above it, and raises it
//! by an entry when the last of them has been upgraded. From then on earlier releases can no longer read the log, and say so.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A level of the log's and the snapshots' contents. 1 is the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Level(pub u16);

impl Level {
    /// What every release knows: the map, its servers, handlers and users.
    pub const FIRST: Self = Self(1);
    /// Adds copies of databases, options of databases, events and why things were done, and adopting journals.
    pub const EVENTS: Self = Self(2);
    /// Adds directives.
    pub const DIRECTIVES: Self = Self(3);
    /// Adds pins of databases, the pause of balancing, and the events that tell of moves by policy.
    pub const PLACEMENT: Self = Self(4);
    /// Adds who may send directives, and what waits for a second person, and conditions among the events.
    pub const SENDERS: Self = Self(5);
    /// The newest that this release knows.
    pub const NEWEST: Self = Self::SENDERS;
}

impl Default for Level {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "level {}", self.0)
    }
}
