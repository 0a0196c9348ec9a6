//! Why something was decided: said by the leader that decided it, and carried by the entry.

use std::{fmt, ops::Deref};

use arcstr::ArcStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Level, limits::EVIDENCE_BYTES_MAX, text};

/// Why an entry was proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// The kind of reason.
    pub cause: Cause,
    /// What it was decided on, in words.
    pub evidence: Evidence,
    /// How long what led to it took, in microseconds, where that is known.
    pub took_us: Option<u64>,
}

/// Kinds of reasons. Variants are only ever added at the end: their order is their number on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// An operator, or a client's statement, asked for it.
    Operator,
    /// A request came for a database that nobody owned.
    FirstRequest,
    /// The owner's life was over.
    ServerExpired,
    /// The owner was not able to serve it.
    ServerUnable,
    /// An operator or a policy moves the database.
    Move,
    /// The server is being emptied.
    Drain,
    /// The server put it away because nobody used it.
    PutAwayIdle,
    /// It was used until its owner failed, and is to be there before somebody asks.
    BackgroundFailover,
    /// A request exceeded its database's time limit.
    TimeLimit,
    /// The server answers, but too slowly to be left with it.
    SlowServer,
    /// Its heartbeats stopped for longer than its lease.
    HeartbeatSilent,
    /// Nothing listens at its address any more.
    ConnectionRefused,
    /// The server's process has begun another life.
    AnotherLife,
    /// Handlers could not reach it, and neither could the leader.
    Witnesses,
    /// Too many servers vanished at a time.
    MassExpiry,
    /// A process started.
    Started,
    /// Something that was begun before goes on to its end.
    CleanUp,
    /// A copy of a database was asked for.
    Fork,
    /// The load among the servers is uneven.
    Balance,
    /// Most of the database's clients are closer to another location.
    Location,
    /// The database is pinned elsewhere.
    Pin,
}

impl Cause {
    /// All of them, in order.
    pub const ALL: [Self; 21] = [
        Self::Operator,
        Self::FirstRequest,
        Self::ServerExpired,
        Self::ServerUnable,
        Self::Move,
        Self::Drain,
        Self::PutAwayIdle,
        Self::BackgroundFailover,
        Self::TimeLimit,
        Self::SlowServer,
        Self::HeartbeatSilent,
        Self::ConnectionRefused,
        Self::AnotherLife,
        Self::Witnesses,
        Self::MassExpiry,
        Self::Started,
        Self::CleanUp,
        Self::Fork,
        Self::Balance,
        Self::Location,
        Self::Pin,
    ];

    /// The oldest level that can say it.
    pub fn level(self) -> Level {
        if matches!(self, Self::Location | Self::Pin) { Level::PLACEMENT } else { Level::EVENTS }
    }

    /// Its name in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::FirstRequest => "first request",
            Self::ServerExpired => "server expired",
            Self::ServerUnable => "server unable",
            Self::Move => "move",
            Self::Drain => "drain",
            Self::PutAwayIdle => "put away idle",
            Self::BackgroundFailover => "background failover",
            Self::TimeLimit => "time limit",
            Self::SlowServer => "slow server",
            Self::HeartbeatSilent => "heartbeat silent",
            Self::ConnectionRefused => "connection refused",
            Self::AnotherLife => "another life",
            Self::Witnesses => "witnesses",
            Self::MassExpiry => "mass expiry",
            Self::Started => "started",
            Self::CleanUp => "clean-up",
            Self::Fork => "fork",
            Self::Balance => "balance",
            Self::Location => "location",
            Self::Pin => "pin",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Why {
    /// A reason, and what it was decided on.
    pub fn new(cause: Cause, evidence: impl AsRef<str>) -> Self {
        Self { cause, evidence: Evidence::new(evidence.as_ref()), took_us: None }
    }

    /// The same, with how long what led to it took.
    pub fn took(self, took: std::time::Duration) -> Self {
        Self { took_us: Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX)), ..self }
    }
}

impl From<Cause> for Why {
    fn from(cause: Cause) -> Self {
        Self::new(cause, "")
    }
}

/// A short text without control characters. A longer one is cut, because it is shown and never decided by.
///
/// Shared, not copied, when cloned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence(ArcStr);

impl Evidence {
    /// The text, as far as [`EVIDENCE_BYTES_MAX`] goes.
    pub fn new(text: &str) -> Self {
        let boundaries = (0..=EVIDENCE_BYTES_MAX.min(text.len())).rev();
        let end = boundaries.into_iter().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let text = &text[..end];
        if text.chars().any(char::is_control) {
            let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            // A control character may be two bytes long, a blank never is: it still fits.
            return Self(plain.into());
        }
        Self(text.into())
    }

    /// This, and something else behind it.
    pub(crate) fn and(self, other: &Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (_, true) => self,
            (true, false) => other.clone(),
            (false, false) => Self::new(&format!("{self}; {other}")),
        }
    }
}

impl Deref for Evidence {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Evidence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "evidence", |text| {
            let evidence = Self::new(text);
            if *evidence == *text {
                Ok(evidence)
            } else {
                Err("evidence that is too long or has control characters")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_its_own_number_and_name() {
        for (number, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, number, "{cause} is out of order");
        }
        let names: std::collections::BTreeSet<_> = Cause::ALL.map(Cause::name).into();
        assert_eq!(names.len(), Cause::ALL.len());
    }

    #[test]
    fn evidence_is_short_and_plain() {
        assert_eq!(&*Evidence::new("silent for\n3.2 s\u{85}"), "silent for 3.2 s ");
        let long = "ü".repeat(EVIDENCE_BYTES_MAX);
        assert_eq!(Evidence::new(&long).len(), EVIDENCE_BYTES_MAX);
        assert_eq!(Evidence::new(&format!("x{long}")).len(), EVIDENCE_BYTES_MAX - 1, "a letter is not cut");
    }
}
