//! What an application says of its driver. The connection string is tokio-postgres', unchanged.

use std::{collections::BTreeMap, path::PathBuf, str::FromStr, time::Duration};

use directive::Policy;

use crate::Error;

/// Longest time of a call unless the application says otherwise.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Where to connect, what to allow, and how long a call may take.
#[derive(Debug, Clone)]
pub struct Config {
    /// Hosts, user, password, database, as tokio-postgres reads them. Several hosts are tried in their order.
    pub postgres: tokio_postgres::Config,
    /// What servers may ask of this client. It always wins (R89).
    /// The hosts of `postgres` and `sources` need not be listed in its addresses.
    pub policy: Policy,
    /// How long a call may take, waiting, connecting and repeating included. Default 30 s.
    pub call_timeout: Duration,
    /// Whether to announce this driver to servers; without it no directive is sent to it. Default true.
    ///
    /// Switch it off for a PgBouncer in between that refuses start-up options.
    pub directives: bool,
    /// Where this client runs, coarsely, such as a zone: 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    pub location: Option<String>,
    /// Destinations for reports, by the names that directives use (R79). `server`, the session's own, is always there.
    pub destinations: BTreeMap<String, Destination>,
    /// Logical names and what they stand for unless a directive says otherwise (R88).
    /// What is not set is taken from `postgres`.
    pub sources: BTreeMap<String, tokio_postgres::Config>,
}

/// Where reports go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A file to which reports are appended, one JSON object on each line.
    File(PathBuf),
    /// An OTLP/HTTP collector that takes JSON: `http://host:port/v1/logs`. Not encrypted: for a collector beside the client.
    Http(String),
}

impl From<tokio_postgres::Config> for Config {
    fn from(postgres: tokio_postgres::Config) -> Config {
        Config {
            postgres,
            policy: Policy::default(),
            call_timeout: CALL_TIMEOUT,
            directives: true,
            location: None,
            destinations: BTreeMap::new(),
            sources: BTreeMap::new(),
        }
    }
}

impl FromStr for Config {
    type Err = Error;

    fn from_str(text: &str) -> Result<Config, Error> {
        let postgres: tokio_postgres::Config = text.parse().map_err(|error: tokio_postgres::Error| {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
            Error::Config(format!("{error}{}", source.unwrap_or_default()))
        })?;
        Ok(postgres.into())
    }
}
