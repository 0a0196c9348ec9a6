//! What servers said of their load: levels of servers and of databases, faded.

use std::collections::{BTreeMap, HashMap};

use model::{DatabaseId, Epoch, Incarnation, ServerId, Tenure};
use rpc::load::{DatabaseUsage, ServerUsage};

use super::decayed::{Decayed, HalfLife};

/// All that was heard. Times are seconds since one beginning.
#[derive(Debug)]
pub struct Usage {
    half_life: HalfLife,
    servers: BTreeMap<ServerId, Server>,
    databases: HashMap<DatabaseId, Database>,
}

/// What is known of a server.
#[derive(Debug)]
struct Server {
    incarnation: Incarnation,
    capacity_cores: f64,
    /// Where its count was last.
    cpu_us: u64,
    /// What it used. Databases that came count as if they had been there all the time, and those that went as if never.
    cpu: Decayed,
    /// Cores of databases that came, less those that went, as far as another source's rates do not show it yet.
    settling: Decayed,
    since: f64,
    heard: f64,
}

/// What is known of a database.
#[derive(Debug)]
struct Database {
    owner: Tenure,
    epoch: Epoch,
    /// Where its counts were last.
    cpu_us: u64,
    requests: u64,
    cpu: Decayed,
    answered: Decayed,
    since: f64,
}

/// A server's level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// The share of its capacity that it uses.
    pub utilization: f64,
    /// How many cores it could use.
    pub capacity_cores: f64,
    /// For how long it has been heard, in seconds.
    pub watched: f64,
    /// How old the last report is, in seconds.
    pub age: f64,
}

/// A database's level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Which.
    pub id: DatabaseId,
    /// Cores.
    pub cores: f64,
    /// Requests per second.
    pub requests_per_second: f64,
}

/// How fast rates of other sources follow a move: half of what one over a minute does not show yet.
const SETTLING: HalfLife = HalfLife(20.0);

/// What fell below this, in seconds of processor time and in requests, is forgotten.
const FORGOTTEN: (f64, f64) = (0.000_1, 0.05);

impl Usage {
    /// Nothing yet.
    pub fn new(half_life: HalfLife) -> Self {
        Self { half_life, servers: BTreeMap::new(), databases: HashMap::new() }
    }

    /// A server reported. `owned` tells of a database whether the map says that it is this server's, under this epoch.
    pub fn on_report(&mut self, report: &ServerUsage, owned: impl Fn(&DatabaseUsage) -> bool, now: f64) {
        let owner = Tenure { server: report.server, incarnation: report.incarnation };
        self.on_server(report, now);
        for usage in report.databases.iter().filter(|usage| owned(usage)) {
            self.on_database(owner, usage, now);
        }
    }

    fn on_server(&mut self, report: &ServerUsage, now: f64) {
        let known = self.servers.get_mut(&report.server);
        match known.filter(|known| known.incarnation == report.incarnation) {
            // A count that goes back was begun anew: nothing can be said of the time in between.
            Some(known) => {
                let used = seconds(report.cpu_us.saturating_sub(known.cpu_us));
                known.cpu.add(used, now, self.half_life);
                known.cpu_us = report.cpu_us;
                known.capacity_cores = cores(report.capacity_millicores);
                known.heard = now;
            }
            None => {
                let begun = Server {
                    incarnation: report.incarnation,
                    capacity_cores: cores(report.capacity_millicores),
                    cpu_us: report.cpu_us,
                    cpu: Decayed::default(),
                    settling: Decayed::default(),
                    since: now,
                    heard: now,
                };
                self.servers.insert(report.server, begun);
            }
        }
    }

    fn on_database(&mut self, owner: Tenure, usage: &DatabaseUsage, now: f64) {
        self.moved(usage.database, owner, now);
        let half_life = self.half_life;
        let Some(known) = self.databases.get_mut(&usage.database) else {
            let begun = Database {
                owner,
                epoch: usage.epoch,
                cpu_us: usage.cpu_us,
                requests: usage.requests,
                cpu: Decayed::default(),
                answered: Decayed::default(),
                since: now,
            };
            self.databases.insert(usage.database, begun);
            return;
        };
        if usage.epoch < known.epoch {
            return;
        }
        // Counts begin with the epoch.
        let (cpu_us, requests) =
            if usage.epoch > known.epoch { (0, 0) } else { (known.cpu_us, known.requests) };
        known.cpu.add(seconds(usage.cpu_us.saturating_sub(cpu_us)), now, half_life);
        known.answered.add(usage.requests.saturating_sub(requests) as f64, now, half_life);
        (known.epoch, known.cpu_us, known.requests) = (usage.epoch, usage.cpu_us, usage.requests);
    }

    /// A database is another server's now: its load is counted there from now on, although neither server's level shows
    /// it yet. Does nothing when that is known.
    pub fn moved(&mut self, database: DatabaseId, to: Tenure, now: f64) {
        let Some(known) = self.databases.get_mut(&database).filter(|known| known.owner != to) else { return };
        let half_life = self.half_life;
        let cores = half_life.rate(known.cpu.sum(now, half_life), now - known.since);
        let from = std::mem::replace(&mut known.owner, to);
        for (tenure, cores) in [(from, -cores), (to, cores)] {
            let server = self.servers.get_mut(&tenure.server);
            if let Some(server) = server.filter(|server| server.incarnation == tenure.incarnation) {
                let watched = server.heard - server.since;
                server.cpu.add(half_life.sum(cores, watched), server.heard, half_life);
                server.settling.add(cores, now, SETTLING);
            }
        }
    }

    /// Forgets servers that are gone, and databases that nobody uses any more.
    pub fn forget(&mut self, up: impl Fn(ServerId, Incarnation) -> bool, now: f64) {
        self.servers.retain(|server, known| up(*server, known.incarnation));
        let half_life = self.half_life;
        self.databases.retain(|_, known| {
            known.cpu.sum(now, half_life) >= FORGOTTEN.0
                || known.answered.sum(now, half_life) >= FORGOTTEN.1
                || now - known.since < half_life.0
        });
    }

    /// A server's level.
    pub fn server(&self, tenure: Tenure, now: f64) -> Option<Heard> {
        let known =
            self.servers.get(&tenure.server).filter(|known| known.incarnation == tenure.incarnation)?;
        let (half_life, watched) = (self.half_life, known.heard - known.since);
        // What was used until the last report, and not the silence since.
        let used = half_life.rate(known.cpu.sum(known.heard, half_life), watched).max(0.0);
        let capacity_cores = known.capacity_cores;
        let utilization = used / capacity_cores;
        Some(Heard { utilization, capacity_cores, watched, age: now - known.heard })
    }

    /// Which share of its capacity came to a server with databases that were moved lately, less what went, as far as rates
    /// over a minute do not show it yet.
    pub fn settling(&self, tenure: Tenure, now: f64) -> f64 {
        let known = self.servers.get(&tenure.server).filter(|known| known.incarnation == tenure.incarnation);
        known.map_or(0.0, |known| known.settling.sum(now, SETTLING) / known.capacity_cores)
    }

    /// The level of every database that was used lately.
    pub fn databases(&self, now: f64) -> impl Iterator<Item = Level> {
        let half_life = self.half_life;
        self.databases.iter().map(move |(id, known)| {
            let watched = now - known.since;
            Level {
                id: *id,
                cores: half_life.rate(known.cpu.sum(now, half_life), watched),
                requests_per_second: half_life.rate(known.answered.sum(now, half_life), watched),
            }
        })
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// A server that says it could use nothing can use very little.
fn cores(millicores: u64) -> f64 {
    millicores.max(1) as f64 / 1e3
}

#[cfg(test)]
mod tests;
