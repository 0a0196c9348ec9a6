//! Reading what happened: see [`model::Event`].

use model::{Cause, DatabaseId, Epoch, EventId, EventsFrom, Name, Revision, ServerId, TimestampMs, What};
use serde::{Deserialize, Serialize};

use crate::controller::DatabaseRef;

/// Which events are wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventsRequest {
    /// Where to begin. A controller that is not as far waits until it is, so that whoever goes on at another one after
    /// a failure misses nothing and gets nothing twice.
    pub from: EventsFrom,
    /// Only those about this database, and the end of its owner's life. A dropped one is known by its last name as long
    /// as its events are.
    pub database: Option<DatabaseRef>,
    /// Only those about the server of this name.
    pub server: Option<String>,
    /// At most so many, and at most [`EVENTS_PAGE_MAX`](crate::limits::EVENTS_PAGE_MAX).
    pub limit: u32,
    /// How long to wait for one when there is none, in milliseconds.
    pub wait_ms: u32,
}

/// Some events, oldest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventsPage {
    /// The events.
    pub events: Vec<EventInfo>,
    /// Read on after this one.
    pub next: EventId,
    /// Whether events between where it was to begin and the oldest one known were forgotten.
    pub overrun: bool,
    /// The map's revision on the controller that answered.
    pub revision: Revision,
}

/// An event, as an operator wants to see it. The fields are those of [`model::Event`], with names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventInfo {
    /// Its place among all events.
    pub id: EventId,
    /// The leader's clock then.
    pub at: TimestampMs,
    /// What it was.
    pub what: What,
    /// Why, if that was said.
    pub cause: Option<Cause>,
    /// The database concerned.
    pub database: Option<DatabaseId>,
    /// The database's name then, or a handler's or a user's.
    pub name: Option<Name>,
    /// The server that lost something, or that it is about.
    pub from: Option<ServerNamed>,
    /// The server that got something.
    pub to: Option<ServerNamed>,
    /// The database's epoch before.
    pub epoch_before: Option<Epoch>,
    /// The database's epoch after.
    pub epoch_after: Option<Epoch>,
    /// How long it took, in microseconds, where that is known.
    pub took_us: Option<u64>,
    /// What it was decided on, in words.
    pub evidence: String,
}

/// A server by its name, or by its id when it has none any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerNamed {
    /// Its id.
    pub id: ServerId,
    /// Its name.
    pub name: Option<Name>,
}

impl std::fmt::Display for ServerNamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => name.fmt(f),
            None => self.id.fmt(f),
        }
    }
}

impl EventInfo {
    /// The servers in one word: `a -> b`, or the one there is.
    pub fn servers(&self) -> Option<String> {
        match (&self.from, &self.to) {
            (None, None) => None,
            (Some(one), None) => Some(format!("{one} ->")),
            (None, Some(one)) => Some(one.to_string()),
            (Some(from), Some(to)) if from == to => Some(to.to_string()),
            (Some(from), Some(to)) => Some(format!("{from} -> {to}")),
        }
    }

    /// The epochs in one word: `1 -> 2`, or the one there is.
    pub fn epochs(&self) -> Option<String> {
        match (self.epoch_before, self.epoch_after) {
            (None, None) => None,
            (Some(before), Some(after)) if before != after => Some(format!("{before} -> {after}")),
            (Some(epoch), _) | (None, Some(epoch)) => Some(epoch.to_string()),
        }
    }

    /// What it is about in one word: a database, a handler or a user.
    pub fn subject(&self) -> Option<String> {
        self.name.as_ref().map(ToString::to_string).or_else(|| self.database.map(|id| id.to_string()))
    }

    /// How long it took, to be read by people.
    pub fn took(&self) -> Option<String> {
        Some(match self.took_us? {
            us if us < 1_000 => format!("{us} us"),
            us if us < 10_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
            us => format!("{} s", us / 1_000_000),
        })
    }
}
