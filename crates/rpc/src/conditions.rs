//! What servers tell the leading controller of conditions, for the fleet's events (S10).

use model::{DatabaseId, Incarnation, ServerId};
use serde::{Deserialize, Serialize};

/// Conditions that were raised or cleared at a server, oldest first. It picks what is worth an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionsReport {
    /// Which server.
    pub server: ServerId,
    /// In which life.
    pub incarnation: Incarnation,
    /// The number of the first change, counted in the server's process: what the leader has heard already is not noted
    /// again.
    pub first: u64,
    /// The changes; at most [`ConditionsReport::CHANGES_MAX`].
    pub changes: Vec<ConditionChange>,
}

impl ConditionsReport {
    /// Most changes in one report. More are refused.
    pub const CHANGES_MAX: usize = 64;
}

/// A condition was raised or cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionChange {
    /// Its name.
    pub condition: String,
    /// The database that it is about; `None` for the whole server.
    pub database: Option<DatabaseId>,
    /// Whether it is raised now.
    pub raised: bool,
    /// What it was raised on, and what is done about it, in words.
    pub evidence: String,
    /// How long it was raised, in microseconds, if it is not any more.
    pub lasted_us: Option<u64>,
}
