//! What operators ask a server about its environment: what is wrong with it, and what it looks at. On its control port.

use model::DatabaseId;
use serde::{Deserialize, Serialize};

/// The service. Answered to operators and controllers.
#[tarpc::service]
pub trait EnvironmentApi {
    /// What is raised, and what is looked at.
    async fn watching() -> Watching;
    /// Look only at these events from now on, until the server ends or its rules are read again (R42): `all`,
    /// `performance`, `failure`, or sources with commas between them.
    async fn set_filter(filter: String) -> Result<Watching, BadWish>;
    /// Read the rules' file again. When something is wrong with it, those before stay.
    async fn reload_rules() -> Result<Watching, BadWish>;
}

/// What a server finds wrong, and what it looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// What is raised now.
    pub conditions: Vec<ConditionInfo>,
    /// Which events are looked at.
    pub filter: String,
    /// Events that came since the start.
    pub seen: u64,
    /// Those of them that passed the filter.
    pub passed: u64,
    /// Those of them that passed, but whose source was one too many.
    pub dropped: u64,
    /// Sources that the server's machine does not have.
    pub absent: Vec<String>,
}

/// A condition that is raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionInfo {
    /// Which.
    pub condition: String,
    /// The database that it is about; nothing for the whole server.
    pub database: Option<DatabaseId>,
    /// For how long, in milliseconds.
    pub raised_ms: u64,
    /// What it was raised on, in words.
    pub evidence: String,
    /// Whether a monitor or an operator said so, rather than a rule.
    pub declared: bool,
    /// What the server does about it by itself.
    pub actions: Vec<String>,
    /// Whether that is only logged.
    pub dry_run: bool,
}

/// What was wished for makes no sense: what is wrong with it, and what would do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{reason}")]
pub struct BadWish {
    /// In words.
    pub reason: String,
}
