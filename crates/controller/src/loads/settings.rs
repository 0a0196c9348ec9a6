//! What an operator can say about loads.

use std::time::Duration;

use rpc::load::LoadSource;

/// Which loads count, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadSettings {
    /// Where loads come from. For each server the first one counts that has a fresh and complete sample. At least one.
    pub sources: Vec<LoadSource>,
    /// Older samples do not count. At least 2 s. Default 15 s.
    pub max_age: Duration,
    /// After how long what was used counts half, against what is used now. At least 1 s. Default 90 s.
    pub half_life: Duration,
    /// After how long a request counts half when clients' locations are told. At least 1 s. Default 30 min.
    pub clients_half_life: Duration,
    /// How many requests, faded, a database must have had before its clients' locations are told. Default 100.
    pub clients_min: u64,
    /// How long a new leader listens before anything is moved for load, at least. Default 10 s.
    pub warmup: Duration,
    /// How long it waits for every server to be heard, at most. Default 60 s.
    pub warmup_max: Duration,
}

impl Default for LoadSettings {
    fn default() -> Self {
        Self {
            sources: vec![LoadSource::Heartbeat],
            max_age: Duration::from_secs(15),
            half_life: Duration::from_secs(90),
            clients_half_life: Duration::from_secs(1_800),
            clients_min: 100,
            warmup: Duration::from_secs(10),
            warmup_max: Duration::from_secs(60),
        }
    }
}
