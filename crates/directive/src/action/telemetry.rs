//! What a client measures and whom it tells.

use serde::Serialize;

/// Collect as long as the directive lives (R76, R77).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collect {
    /// Its slot, and the name in reports.
    pub name: String,
    /// At least one.
    pub of: Vec<Subject>,
    /// Time from report to report, 100 to 3,600,000 ms.
    pub interval_ms: u64,
    /// Longest report, 256 to 1,048,576 bytes. Default 65,536.
    pub bytes_max: u64,
    /// How many of a thousand queries are looked at, 1 to 1,000. Default 1,000.
    pub sample_per_mille: u64,
}

/// What to measure. Literals of queries are left out of all of it (S8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The client's process and host: CPU, memory, pool.
    Client,
    /// The application: rates and latencies of calls.
    Application,
    /// Each query: time, rows, waits.
    Query,
    /// Errors as the client sees them: resets, name look-ups, TLS, replies that make no sense.
    Errors,
}

impl Subject {
    /// All of them.
    pub const ALL: [Subject; 4] = [Subject::Client, Subject::Application, Subject::Query, Subject::Errors];

    /// As on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Subject::Client => "client",
            Subject::Application => "application",
            Subject::Query => "query",
            Subject::Errors => "errors",
        }
    }
}

/// Stop collecting (R97).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StopCollecting {
    /// Which collection; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What becomes of what was not sent yet.
    pub buffers: Buffers,
}

/// What becomes of collected data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Buffers {
    /// Send it once more.
    Flush,
    /// Throw it away.
    Drop,
}

/// Send what is collected there (R78, R79).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upload {
    /// A name from the list of the client's owner; `server` is the server of the session.
    /// Never an address: a directive cannot send data to a host of its choice.
    pub destination: String,
    /// Which collection; `None` for all that have no destination of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
}
