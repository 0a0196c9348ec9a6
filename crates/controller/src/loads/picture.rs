//! What placement is decided on, as one value.

use std::{collections::BTreeMap, sync::Arc};

use model::{DatabaseId, ServerId};
use rpc::load::LoadSource;

/// All loads at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Servers that are up and have a sample that is fresh and complete. One that is missing is not idle: nobody knows.
    pub servers: BTreeMap<ServerId, ServerPicture>,
    /// Databases that were used lately, in the order of their ids; all others are idle.
    pub databases: Vec<DatabasePicture>,
    /// From a location of clients to one of servers, in milliseconds, where it is known.
    pub round_trips: BTreeMap<(Arc<str>, Arc<str>), f64>,
    /// Why nothing may be moved for load or location now. Failover, drain and operators' moves go on.
    pub stale: Option<String>,
}

/// One server's load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerPicture {
    /// The share of its capacity that it uses: 1 is all of it. Databases that came or went lately are counted in or out.
    pub utilization: f64,
    /// How many cores it could use.
    pub capacity_cores: f64,
    /// Who says so.
    pub source: LoadSource,
    /// How old what was said is, in seconds.
    pub age_seconds: f64,
}

/// One database's load.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabasePicture {
    /// Which.
    pub id: DatabaseId,
    /// Cores that its statements keep busy, on a decayed average.
    pub cores: f64,
    /// Requests per second, on a decayed average.
    pub requests_per_second: f64,
    /// Where its requests come from: shares of 1, the largest first. Empty where too few were seen to tell.
    pub clients: Vec<(Arc<str>, f64)>,
}
