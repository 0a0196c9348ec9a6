//! What an operator can say about a server.

use std::{path::PathBuf, time::Duration};

use model::{Name, Registration};

use crate::engine::Limits;

/// The settings of one server, validated.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Identity across restarts. Two processes with one name: the second is refused.
    pub name: Name,
    /// Where handlers reach the data port, `host:port`.
    pub data_address: String,
    /// Where controllers reach the control port, `host:port`.
    pub control_address: String,
    /// Region, zone or rack. Free text.
    pub location: String,
    /// How much this server can carry, relative to the others. At least 1.
    pub capacity: u32,
    /// How many cores it could use, for placement by load. `None`: the limit of its control group, or all of the machine.
    /// To be set where several processes share a machine.
    pub cpu_cores: Option<f64>,
    /// Addresses of controllers, `host:port`; at least one. Others are learned from them.
    pub controllers: Vec<String>,
    /// Working copies of loaded databases. A cache: wiped at start, lost without harm. One process at a time.
    pub data_dir: PathBuf,
    /// The object store with all databases' journals, the same for all servers of the fleet: a directory that they
    /// share, or with the feature `cloud` a URL as [`journal::Place`] takes it.
    pub journal: String,
    /// How far back a database can be restored: what a newer snapshot made superfluous stays in its journal for so long
    /// before it is deleted. Zero: back to its newest snapshot. The journal then takes the room of everything written in
    /// that time, and a load lists it all.
    pub history: Duration,
    /// Databases loaded at a time. At the limit the one idle for longest is put away; if none is idle, a load is refused.
    pub databases_loaded_max: usize,
    /// A database that nobody used for this long is put away. Zero: never.
    pub idle_put_away: Duration,
    /// Client sessions at a time; one more is refused with 53300.
    pub sessions_max: usize,
    /// Limits of each database.
    pub database: Limits,
}

impl Settings {
    /// Default of [`Settings::capacity`].
    pub const DEFAULT_CAPACITY: u32 = 100;
    /// Default of [`Settings::databases_loaded_max`].
    pub const DEFAULT_DATABASES_LOADED_MAX: usize = 10_000;
    /// Default of [`Settings::idle_put_away`].
    pub const DEFAULT_IDLE_PUT_AWAY: Duration = Duration::from_secs(600);
    /// Default of [`Settings::history`].
    pub const DEFAULT_HISTORY: Duration = Duration::ZERO;
    /// Default of [`Settings::sessions_max`].
    pub const DEFAULT_SESSIONS_MAX: usize = 10_000;

    /// What is said to the controllers.
    pub fn registration(&self) -> Registration {
        Registration {
            name: self.name.clone(),
            data_address: self.data_address.clone(),
            control_address: self.control_address.clone(),
            location: self.location.clone(),
            capacity: self.capacity,
        }
    }
}
