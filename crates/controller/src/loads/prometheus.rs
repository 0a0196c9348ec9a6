//! A Prometheus server as a second source of loads (C18): what it is asked, what is believed of it, and for how long.
//!
//! It tells of the operator's own signals, and of servers that say nothing useful of themselves. None of it is trusted
//! unseen: `reading` takes answers apart, `samples` decides for each server whether its value may be used. `asking` is the
//! shell that asks.

mod asking;
mod reading;
mod samples;

use std::{path::PathBuf, time::Duration};

pub use self::{
    asking::{Client, Place},
    samples::{Round, Sample, Samples},
};

/// Whom to ask, and what.
#[derive(Clone, Debug, PartialEq)]
pub struct PrometheusSettings {
    /// Where it is, `http://host:port` or `https://host:port`, with a path in front of `/api/v1` if need be. Tried in
    /// order.
    pub urls: Vec<String>,
    /// A file with a bearer token, read before each round.
    pub token_file: Option<PathBuf>,
    /// A file with the certificates to trust, in PEM. Needed for https.
    pub ca_file: Option<PathBuf>,
    /// How long a query may take at one of them. Default 2 s.
    pub timeout: Duration,
    /// How often to ask. Default 10 s.
    pub interval: Duration,
    /// For how long a server's values must have been good without a gap before they count. Default 60 s.
    pub warmup: Duration,
    /// Older values do not count. Default 60 s.
    pub max_age: Duration,
    /// The largest load that can be true: a share of a server's capacity. Default 2.
    pub limit: f64,
    /// How many samples [`coverage`](Self::coverage) must tell of at least. Default 2.
    pub coverage_min: f64,
    /// The query for loads: for each server the share of its capacity that it uses.
    pub server_load: String,
    /// The query for how old that is, in seconds.
    pub age: String,
    /// The query for how many samples the rate's window has. Empty: not asked.
    pub coverage: String,
}

/// Default of [`PrometheusSettings::server_load`].
pub const SERVER_LOAD: &str = "sum by (server) (rate(stationmaster_server_cpu_seconds_total[1m])) \
                               / sum by (server) (stationmaster_server_cpu_capacity_cores)";
/// Default of [`PrometheusSettings::age`].
pub const AGE: &str = "time() - min by (server) (timestamp(stationmaster_server_cpu_seconds_total))";
/// Default of [`PrometheusSettings::coverage`].
pub const COVERAGE: &str = "min by (server) (count_over_time(stationmaster_server_cpu_seconds_total[1m]))";

impl PrometheusSettings {
    /// With every default.
    pub fn new(urls: Vec<String>) -> Self {
        Self {
            urls,
            token_file: None,
            ca_file: None,
            timeout: Duration::from_secs(2),
            interval: Duration::from_secs(10),
            warmup: Duration::from_secs(60),
            max_age: Duration::from_secs(60),
            limit: 2.0,
            coverage_min: 2.0,
            server_load: SERVER_LOAD.into(),
            age: AGE.into(),
            coverage: COVERAGE.into(),
        }
    }
}
