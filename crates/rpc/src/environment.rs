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
    /// What clients measured, because they were told to, and uploaded in their sessions here within so many milliseconds
    /// (R78, R80).
    async fn told(within_ms: u64) -> Vec<ClientTold>;
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

/// What one client told of itself lately. Texts are the client's own words, cut short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientTold {
    /// Which process, or session where it does not say.
    pub client: String,
    /// The database of the session in which it came.
    pub database: DatabaseId,
    /// That database as the client calls it.
    pub name: String,
    /// The handler that the session came through; empty for none.
    pub handler: String,
    /// What the application calls itself.
    pub application: String,
    /// The driver and its version.
    pub driver: String,
    /// Where it runs.
    pub location: String,
    /// How many reports that were.
    pub reports: u64,
    /// How long ago the last one came, in milliseconds.
    pub last_ms_ago: u64,
    /// What it measured.
    pub figures: Figures,
}

/// What clients measure. Times are in microseconds, as the client saw them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Calls of the application.
    pub calls: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// How long they took together.
    pub sum_us: u64,
    /// What half of them did not exceed, in the worst of the reports.
    pub p50_us: u64,
    /// What 99 of 100 did not exceed, in the worst of the reports.
    pub p99_us: u64,
    /// The longest.
    pub longest_us: u64,
    /// Memory of its process.
    pub memory_bytes: u64,
    /// Processor time of its process, in milliseconds.
    pub cpu_ms: u64,
    /// Its open connections.
    pub connections: u64,
    /// Errors as it saw them, by kind.
    pub errors: Vec<(String, u64)>,
}
