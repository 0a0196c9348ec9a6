//! One measurement.

use std::{fmt, str::FromStr, time::Instant};

use model::DatabaseId;

use crate::Source;

/// Something was measured, or happened, somewhere, then.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What was looked at.
    pub source: Source,
    /// Of the whole process, or of one database of it.
    pub scope: Scope,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
    /// When.
    pub at: Instant,
}

/// What a measurement or a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The whole process.
    Server,
    /// One database of it.
    Database(DatabaseId),
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A share of a whole, 1 is all of it.
    Ratio,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Things, or how often something happened since the event before.
    Count,
}

impl Unit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ratio, Self::Seconds, Self::Bytes, Self::Count];

    /// Its name in posts and listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ratio => "ratio",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Count => "count",
        }
    }
}

impl FromStr for Unit {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|unit| unit.name() == text).ok_or(())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.pad("server"),
            Self::Database(id) => f.pad(&id.to_string()),
        }
    }
}
