//! What the placement policy looks at, made of the map and of what is known of loads.
//!
//! A server's capacity is its cores, unless operators gave servers different capacities: then those count, as parts of all
//! cores. A server of which nobody knows the load is neither taken from nor given to for load; for a database that
//! has to go somewhere it counts as carrying as much as the others. While no loads are known at all, servers are
//! told apart by how many databases they own and how many requests they answer.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use model::{
    DatabaseId, Fleet, PinnedTo, ServerId, Tenure,
    placement::{ClientShare, Database, Flight, NOWHERE, Pin, RoundTrips, Server, Snapshot},
};
use tokio::time::Instant;

use super::{Liveness, Pending};
use crate::{
    loads::{DatabasePicture, Picture},
    machine::Tally,
};

/// A picture of loads, and where each database is in it.
#[derive(Clone, Debug)]
pub struct Sketch {
    /// The picture.
    pub picture: Picture,
    /// When it was made.
    pub at: Instant,
    by_id: HashMap<DatabaseId, usize>,
}

impl Sketch {
    /// Of this picture.
    pub fn new(picture: Picture, at: Instant) -> Self {
        let by_id =
            picture.databases.iter().enumerate().map(|(index, database)| (database.id, index)).collect();
        Self { picture, at, by_id }
    }

    /// What is known of a database; nothing of one that was not used lately.
    pub fn database(&self, id: DatabaseId) -> Option<&DatabasePicture> {
        self.picture.databases.get(*self.by_id.get(&id)?)
    }
}

/// What a scene is made of.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The map.
    pub fleet: &'a Fleet,
    /// Databases by owner.
    pub tally: &'a Tally,
    /// Who was heard of lately.
    pub liveness: &'a Liveness,
    /// What is on its way to servers.
    pub pending: &'a Pending,
    /// Loads.
    pub sketch: &'a Sketch,
}

/// A snapshot for the policy, and what its indices mean.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What the policy looks at.
    pub snapshot: Snapshot,
    /// The lives of its servers.
    pub tenures: Vec<Tenure>,
    /// What a database counts at least that has to go somewhere.
    pub idle: f32,
    by_server: HashMap<ServerId, u32>,
    locations: Vec<Arc<str>>,
}

/// So much of a mean server an owned database counts at least when one has to go somewhere; what is placed is measured
/// only some seconds later.
const IDLE_SHARE: f64 = 0.01;

/// But all of them together no more than this share of the fleet.
const IDLE_SHARE_MAX: f64 = 0.1;

/// What a request counts at least, in cores, when clients' distance is weighed.
const REQUEST_CORES: f64 = 0.001;

/// How loaded the fleet is taken to be while no loads are known.
const UNKNOWN_UTILIZATION: f64 = 0.3;

impl Scene {
    /// For placing single databases: no databases in it, and what is on its way counted.
    pub fn of_servers(known: &Known<'_>) -> Self {
        let mut scene = Self::begin(known);
        let carried = carried(known, &scene);
        scene.idle = carried.idle as f32;
        for ((server, load), capacity) in
            scene.snapshot.servers.iter_mut().zip(carried.loads).zip(carried.capacities)
        {
            (server.load, server.capacity) = (load as f32, capacity as f32);
        }
        scene
    }

    /// For moving databases: those that are used, pinned, or being moved as `flying` says.
    pub fn whole(known: &Known<'_>, flying: &BTreeMap<DatabaseId, (Tenure, Tenure)>) -> Self {
        let mut scene = Self::begin(known);
        let picture = &known.sketch.picture;
        let capacities = capacities(known, &scene);
        for (index, capacity) in capacities.into_iter().enumerate() {
            let server = &mut scene.snapshot.servers[index];
            server.capacity = capacity as f32;
            match picture.servers.get(&server.id) {
                Some(told) => server.load = (told.utilization * told.capacity_cores) as f32,
                // Whether it is busy or idle nobody knows.
                None => server.load = f32::NAN,
            }
        }
        for told in &picture.databases {
            scene.add(known, told.id, Some(told));
        }
        for (id, _) in known.fleet.pins() {
            if known.sketch.database(id).is_none() {
                scene.add(known, id, None);
            }
        }
        scene.attribute();
        scene.snapshot.frozen = picture.stale.is_some();
        scene.fly(flying);
        scene
    }

    fn begin(known: &Known<'_>) -> Self {
        let mut scene = Self {
            snapshot: Snapshot::default(),
            tenures: Vec::new(),
            idle: 0.0,
            by_server: HashMap::new(),
            locations: Vec::new(),
        };
        for (id, record) in known.fleet.servers() {
            let location = scene.location(&record.location);
            let index = scene.tenures.len() as u32;
            scene.tenures.push(Tenure { server: id, incarnation: record.incarnation });
            scene.by_server.insert(id, index);
            scene.snapshot.servers.push(Server {
                id,
                location,
                domain: location,
                capacity: 1.0,
                load: 0.0,
                state: record.state,
            });
        }
        let trips = &known.sketch.picture.round_trips;
        for (client, server) in trips.keys() {
            scene.location(client);
            scene.location(server);
        }
        let named = scene.locations.clone();
        scene.snapshot.round_trips = RoundTrips::new(named.len() as u16, |client, server| {
            let pair = (named[usize::from(client)].clone(), named[usize::from(server)].clone());
            trips.get(&pair).map(|ms| *ms as f32)
        });
        scene
    }

    /// The index of a location by name. A fleet with more than can be counted has the rest in one.
    fn location(&mut self, name: &str) -> u16 {
        let known = self.locations.iter().position(|location| **location == *name);
        let index = known.unwrap_or_else(|| {
            if self.locations.len() < LOCATIONS_MAX {
                self.locations.push(name.into());
            }
            self.locations.len() - 1
        });
        index as u16
    }

    /// A location's name.
    pub fn location_name(&self, index: u16) -> &str {
        self.locations.get(usize::from(index)).map_or("", |name| name)
    }

    /// A database's index.
    pub fn find(&self, id: DatabaseId) -> Option<u32> {
        self.snapshot.databases.iter().position(|database| database.id == id).map(|index| index as u32)
    }

    /// Adds one that nobody uses; its index.
    pub fn add_idle(&mut self, id: DatabaseId, owner: Option<Tenure>, pin: Option<&PinnedTo>) -> u32 {
        self.snapshot.databases.push(Database {
            id,
            owner: owner.map_or(NOWHERE, |owner| self.server(owner.server)),
            load: 0.0,
            requests: 0.0,
            clients_from: 0,
            clients_len: 0,
            pin: self.pin(pin),
        });
        self.snapshot.databases.len() as u32 - 1
    }

    /// A server's index.
    pub fn server(&self, id: ServerId) -> u32 {
        self.by_server.get(&id).copied().unwrap_or(NOWHERE)
    }

    /// What a pin means here.
    pub fn pin(&self, pin: Option<&PinnedTo>) -> Pin {
        match pin {
            None => Pin::Anywhere,
            Some(PinnedTo::Server(server)) => Pin::Server(self.server(*server)),
            Some(PinnedTo::Location(name)) => {
                let index = self.locations.iter().position(|location| **location == **name);
                // One that nobody is in.
                Pin::Location(index.map_or(u16::MAX, |index| index as u16))
            }
        }
    }

    /// Where a database's requests come from, as far as the round trips speak of it.
    pub fn clients(&self, told: Option<&DatabasePicture>) -> Vec<ClientShare> {
        let clients = told.map_or(&[][..], |told| &told.clients);
        let shares = clients.iter().filter_map(|(name, share)| {
            let location = self.locations.iter().position(|location| location == name)?;
            Some(ClientShare { location: location as u16, share: *share as f32 })
        });
        shares.collect()
    }

    fn add(&mut self, known: &Known<'_>, id: DatabaseId, told: Option<&DatabasePicture>) {
        let Some((owner, _)) = known.fleet.owner(id) else { return };
        let clients = self.clients(told);
        let clients_from = self.snapshot.clients.len() as u32;
        self.snapshot.databases.push(Database {
            id,
            owner: self.server(owner.server),
            load: told.map_or(0.0, |told| told.cores) as f32,
            requests: told.map_or(0.0, worth) as f32,
            clients_from,
            clients_len: clients.len() as u16,
            pin: self.pin(known.fleet.pin(id)),
        });
        self.snapshot.clients.extend(clients);
    }

    /// What a server uses beyond what its databases say is theirs all the same: moving them away must help where an
    /// operator's own signal says that it is full.
    fn attribute(&mut self) {
        let mut sums = vec![(0.0f64, 0.0f64); self.snapshot.servers.len()];
        let weight = |database: &Database| f64::from(database.load.max(database.requests)) + 1e-6;
        for database in &self.snapshot.databases {
            if let Some((load, weights)) = sums.get_mut(database.owner as usize) {
                *load += f64::from(database.load);
                *weights += weight(database);
            }
        }
        for database in &mut self.snapshot.databases {
            let Some((load, weights)) = sums.get(database.owner as usize) else { continue };
            let gap = f64::from(self.snapshot.servers[database.owner as usize].load) - load;
            if gap > 0.0 {
                database.load += (gap * weight(database) / weights) as f32;
            }
        }
    }

    fn fly(&mut self, flying: &BTreeMap<DatabaseId, (Tenure, Tenure)>) {
        for (index, database) in (0u32..).zip(&self.snapshot.databases) {
            let Some((from, to)) = flying.get(&database.id) else { continue };
            // Once the map says so, its load is counted there.
            let (from, to) = (self.server(from.server), self.server(to.server));
            let landed = database.owner == to;
            let from = if landed { NOWHERE } else { from };
            let to = if landed { NOWHERE } else { to };
            self.snapshot.flights.push(Flight { database: index, from, to });
        }
    }
}

/// What a database's requests count when distance is weighed.
pub fn worth(told: &DatabasePicture) -> f64 {
    told.cores.max(told.requests_per_second * REQUEST_CORES)
}

/// Most locations that are told apart.
const LOCATIONS_MAX: usize = 1_024;

struct Carried {
    loads: Vec<f64>,
    capacities: Vec<f64>,
    idle: f64,
}

/// What every server carries, for a database that has to go somewhere.
fn carried(known: &Known<'_>, scene: &Scene) -> Carried {
    let servers = &scene.snapshot.servers;
    let told = &known.sketch.picture.servers;
    if !servers.iter().any(|server| told.contains_key(&server.id)) {
        return counted(known, scene);
    }
    let capacities = capacities(known, scene);
    let total: f64 = capacities.iter().sum();
    let owned = |at: usize| known.tally.owned(scene.tenures[at]) as f64;
    let databases: f64 = (0..servers.len()).map(owned).sum();
    let mean = total / servers.len() as f64;
    let idle = (IDLE_SHARE * mean).min(IDLE_SHARE_MAX * total / databases.max(1.0));
    let measured = |at: usize| {
        let told = told.get(&servers[at].id)?;
        Some(told.utilization * told.capacity_cores)
    };
    let (load, capacity) = (0..servers.len()).fold((0.0, 0.0), |(load, capacity), at| match measured(at) {
        Some(more) => (load + more, capacity + capacities[at]),
        None => (load, capacity),
    });
    let typical = if capacity > 0.0 { load / capacity } else { 0.0 };
    let carries = |at: usize| {
        let measured = measured(at).unwrap_or(typical * capacities[at]);
        measured + idle * owned(at) + known.pending.load(scene.tenures[at])
    };
    Carried { loads: (0..servers.len()).map(carries).collect(), capacities, idle }
}

/// The same while no loads are known: half by how many databases a server has, and half by the requests it answers, for
/// the average of all, at a utilisation that is taken for granted.
fn counted(known: &Known<'_>, scene: &Scene) -> Carried {
    let capacities: Vec<f64> = known.fleet.servers().map(|(_, record)| f64::from(record.capacity)).collect();
    let told: Vec<(f64, f64)> = scene
        .tenures
        .iter()
        .map(|tenure| {
            let databases = known.tally.owned(*tenure) + known.pending.to(*tenure);
            let requests = known.liveness.seen(*tenure).map_or(0.0, |seen| seen.requests_per_second);
            (databases as f64, requests)
        })
        .collect();
    let databases: f64 = told.iter().map(|(databases, _)| databases).sum();
    let requests: f64 = told.iter().map(|(_, requests)| requests).sum();
    let average = requests / databases.max(1.0);
    let load = |(databases, requests): &(f64, f64)| match average < REQUESTS_MIN {
        true => *databases,
        false => databases / 2.0 + requests / average / 2.0,
    };
    let loads: Vec<f64> = told.iter().map(load).collect();
    let scale = UNKNOWN_UTILIZATION * capacities.iter().sum::<f64>() / loads.iter().sum::<f64>().max(1.0);
    Carried { loads: loads.iter().map(|load| load * scale).collect(), capacities, idle: scale }
}

/// Below so many requests per second and database nobody is busy, and only databases count.
const REQUESTS_MIN: f64 = 0.01;

/// Cores; shared out as operators said, where they said that servers differ.
fn capacities(known: &Known<'_>, scene: &Scene) -> Vec<f64> {
    let told = &known.sketch.picture.servers;
    let cores: Vec<Option<f64>> = scene
        .snapshot
        .servers
        .iter()
        .map(|server| told.get(&server.id).map(|told| told.capacity_cores).filter(|cores| *cores > 0.0))
        .collect();
    let said: Vec<f64> = known.fleet.servers().map(|(_, record)| f64::from(record.capacity)).collect();
    let known_cores: f64 = cores.iter().flatten().sum();
    let count = cores.iter().flatten().count().max(1) as f64;
    let mean = if known_cores > 0.0 { known_cores / count } else { 1.0 };
    if said.windows(2).all(|pair| pair[0] == pair[1]) {
        return cores.iter().map(|cores| cores.unwrap_or(mean)).collect();
    }
    let said_mean = said.iter().sum::<f64>() / said.len().max(1) as f64;
    said.iter().map(|said| said / said_mean * mean).collect()
}

#[cfg(test)]
mod tests;
