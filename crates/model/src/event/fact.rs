//! Facts: what the leader found out and wants to be remembered, although it decides nothing.

use serde::{Deserialize, Serialize};

use super::{Cause, Evidence, What};
use crate::{DatabaseId, Epoch, Level, ServerId};

/// Something to be remembered as an event. See [`Command::RecordEvents`](crate::Command::RecordEvents).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it was.
    pub what: What,
    /// Why, if there is a reason.
    pub cause: Option<Cause>,
    /// The database concerned.
    pub database: Option<DatabaseId>,
    /// The epoch of the database that it is about.
    pub epoch: Option<Epoch>,
    /// The server that it is about.
    pub server: Option<ServerId>,
    /// How long it took, in microseconds.
    pub took_us: Option<u64>,
    /// What it was found out by, in words.
    pub evidence: Evidence,
}

impl Fact {
    /// A fact about nothing yet; the rest is filled in by the others.
    pub fn new(what: What) -> Self {
        let evidence = Evidence::default();
        Self { what, cause: None, database: None, epoch: None, server: None, took_us: None, evidence }
    }

    /// The oldest level that can say this.
    pub fn level(&self) -> Level {
        self.cause.map_or(Level::EVENTS, Cause::level).max(self.what.level())
    }

    /// About this database under this epoch.
    pub fn database(self, database: DatabaseId, epoch: Epoch) -> Self {
        Self { database: Some(database), epoch: Some(epoch), ..self }
    }

    /// About this server.
    pub fn server(self, server: ServerId) -> Self {
        Self { server: Some(server), ..self }
    }

    /// For this reason.
    pub fn cause(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// It took that long.
    pub fn took(self, took: std::time::Duration) -> Self {
        Self { took_us: Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX)), ..self }
    }

    /// In words.
    pub fn evidence(self, evidence: impl AsRef<str>) -> Self {
        Self { evidence: Evidence::new(evidence.as_ref()), ..self }
    }
}
