//! What is made as small as can be: the load of servers, and the distance of clients.
//!
//! `sum over servers of c * phi(u)  +  rtt_weight * sum over databases of requests * mean round trip`, where `c` is a
//! server's capacity in mean servers and `u` its utilisation. `phi(u) = u^2 / 2 + 20 * max(0, u - soft)^2`: flat below the
//! soft limit, where distance decides, and steep above it, where load does.

use super::{Settings, Snapshot};

/// How steep the penalty is above the soft limit.
const STEEPNESS: f64 = 40.0;

/// The objective, for the servers of one snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// The capacity of the mean server, which everything is measured in.
    pub unit: f64,
    soft: f64,
    rtt_weight: f64,
}

/// What one database on one server adds to the objective.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// By the server's load.
    pub load: f64,
    /// By its clients' distance.
    pub distance: f64,
}

impl Terms {
    /// Both.
    pub fn total(self) -> f64 {
        self.load + self.distance
    }
}

impl Objective {
    /// For servers that take databases; for all where none does.
    pub fn new(snapshot: &Snapshot, settings: &Settings) -> Self {
        let taking = snapshot.servers.iter().filter(|server| server.state == super::State::Up);
        let (count, sum) = taking.fold((0.0, 0.0), |(count, sum), server| {
            (count + 1.0, sum + f64::from(server.capacity).max(f64::MIN_POSITIVE))
        });
        let unit = if count > 0.0 { sum / count } else { 1.0 };
        Self { unit, soft: settings.soft_limit, rtt_weight: settings.rtt_weight }
    }

    /// The penalty of a utilisation.
    pub fn phi(&self, utilization: f64) -> f64 {
        let over = (utilization - self.soft).max(0.0);
        utilization * utilization / 2.0 + STEEPNESS / 2.0 * over * over
    }

    /// What so much more load adds on a server that carries `load` of `capacity` without it.
    pub fn load(&self, load: f64, capacity: f64, added: f64) -> f64 {
        let before = self.phi(load / capacity);
        (self.phi((load + added) / capacity) - before) * capacity / self.unit
    }

    /// What clients at this mean round trip add.
    pub fn distance(&self, requests: f64, mean_ms: f64) -> f64 {
        self.rtt_weight * requests / self.unit * mean_ms
    }
}
