//! What placement is decided on: what servers say of their load, and handlers of their clients (R22, R25).
//!
//! A report holds what changed most since the last one that was answered; the rest follows with the next ones.
//! What servers used is counted since a beginning that the report names, so one that is lost or comes twice changes
//! nothing. Clients' requests are counted since the last report that was answered: one that comes twice counts a second
//! twice, which no share of a thousand seconds shows, and a new leader need not know what was before.

use model::{DatabaseId, Epoch, HandlerId, Incarnation, Name, ServerId};
use serde::{Deserialize, Serialize};

/// What a server used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerUsage {
    /// Which server.
    pub server: ServerId,
    /// In which life; its counts begin with it.
    pub incarnation: Incarnation,
    /// Processor time of its whole process or control group, in microseconds.
    pub cpu_us: u64,
    /// How much processor time it could have, in thousandths of a core.
    pub capacity_millicores: u64,
    /// Databases that have used more since the last report, at most [`DATABASES_MAX`](Self::DATABASES_MAX): those
    /// that used most.
    pub databases: Vec<DatabaseUsage>,
}

impl ServerUsage {
    /// Most databases in one report. Of a longer list the receiver takes none.
    pub const DATABASES_MAX: usize = 512;
}

/// What a database used at its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseUsage {
    /// Which.
    pub database: DatabaseId,
    /// Under which epoch; its counts begin with it.
    pub epoch: Epoch,
    /// Processor time of its statements, in microseconds.
    pub cpu_us: u64,
    /// Requests: Query, Sync and FunctionCall messages.
    pub requests: u64,
}

/// Where a handler's clients are, and how far the servers. No address is in it, nor anything else of a single client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientsReport {
    /// Which handler.
    pub handler: HandlerId,
    /// Its own location: where its round trips are measured from.
    pub location: String,
    /// Where requests came from, at most [`COUNTS_MAX`](Self::COUNTS_MAX): those with most of them.
    pub counts: Vec<ClientCount>,
    /// Round trips to the locations of servers, at most [`ROUND_TRIPS_MAX`](Self::ROUND_TRIPS_MAX).
    pub round_trips: Vec<RoundTrip>,
}

impl ClientsReport {
    /// Most counts in one report. Of a longer list the receiver takes none.
    pub const COUNTS_MAX: usize = 1_000;
    /// Most locations that one report gives round trips to.
    pub const ROUND_TRIPS_MAX: usize = 256;
}

/// How many requests a database got from a location through one handler, since the last report that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCount {
    /// Which database.
    pub database: DatabaseId,
    /// Where the clients are.
    pub location: String,
    /// Requests.
    pub requests: u64,
}

/// How far the servers of a location are from a handler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundTrip {
    /// Where the servers are.
    pub location: String,
    /// There and back, the lesser of the last ones, in microseconds.
    pub round_trip_us: u64,
}

/// Where a database's requests come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientsOf {
    /// Where.
    pub location: String,
    /// How many there were, faded.
    pub requests: f64,
    /// Which part of all of them.
    pub share: f64,
}

/// Where a value of a server's load comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LoadSource {
    /// The server's own reports.
    Heartbeat,
    /// A Prometheus server.
    Prometheus,
}

impl LoadSource {
    /// As it is written in settings, labels and evidence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Prometheus => "prometheus",
        }
    }
}

impl std::fmt::Display for LoadSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the leader knows of all loads, and from where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadsInfo {
    /// Why nothing is moved for load or location at the moment, if so.
    pub stale: Option<String>,
    /// What was last wrong with Prometheus, if it is asked and something is.
    pub prometheus_trouble: Option<String>,
    /// All servers that are up.
    pub servers: Vec<ServerLoadInfo>,
    /// What is known of distances: client location, server location, milliseconds.
    pub round_trips: Vec<(String, String, f64)>,
}

/// A server's load, by source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerLoadInfo {
    /// Which server.
    pub server: ServerId,
    /// Its name.
    pub name: Name,
    /// How many cores it could use, if it said so.
    pub capacity_cores: Option<f64>,
    /// The source that counts, if any is fresh and complete.
    pub uses: Option<LoadSource>,
    /// The sources that are set, those preferred first.
    pub sources: Vec<SourceInfo>,
}

/// What one source says of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// Which.
    pub source: LoadSource,
    /// The share of its capacity that the server uses, 1 for all of it.
    pub utilization: Option<f64>,
    /// How old that is, in milliseconds.
    pub age_ms: Option<u64>,
    /// Why it does not count, if it does not.
    pub refused: Option<String>,
}
