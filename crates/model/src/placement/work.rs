//! A round's own copy of what servers carry: planned moves and those under way counted on both sides.

use super::{Database, NOWHERE, Objective, Settings, Snapshot, State, Terms};

/// How much of a target's new load is added when it is held against a ceiling.
const ADDED: f64 = 1.1;

/// What differs by less than this share is equally good.
pub(super) const NEARLY: f64 = 0.02;

/// How many of a location's least loaded servers are looked at.
const LEAST: usize = 3;

/// What servers carry while a round is planned.
pub(super) struct Work<'a> {
    pub snapshot: &'a Snapshot,
    pub settings: &'a Settings,
    pub objective: Objective,
    pub locations: usize,
    pub load: Vec<f64>,
    pub capacity: Vec<f64>,
    /// How many more moves may begin to a server.
    pub room_in: Vec<u32>,
    /// And from it.
    pub room_out: Vec<u32>,
    /// The least loaded servers of each location, and its least loaded big one.
    targets: Vec<Targets>,
}

/// Where a location's databases may go.
#[derive(Clone, Copy, Debug)]
struct Targets {
    least: [u32; LEAST],
    big: u32,
}

const NONE: Targets = Targets { least: [NOWHERE; LEAST], big: NOWHERE };

impl<'a> Work<'a> {
    pub fn new(snapshot: &'a Snapshot, settings: &'a Settings) -> Self {
        let servers = &snapshot.servers;
        let locations = servers.iter().map(|server| usize::from(server.location) + 1).max().unwrap_or(0);
        let capacity: Vec<f64> = servers.iter().map(|server| f64::from(server.capacity).max(1e-9)).collect();
        let mean = known_mean(snapshot);
        let load = servers.iter().zip(&capacity).map(|(server, capacity)| match server.load.is_nan() {
            true => mean * capacity,
            false => f64::from(server.load).max(0.0),
        });
        let most = vec![settings.max_in_flight_per_server; servers.len()];
        let mut work = Self {
            snapshot,
            settings,
            objective: Objective::new(snapshot, settings),
            locations: locations.max(snapshot.round_trips.locations()),
            load: load.collect(),
            capacity,
            room_in: most.clone(),
            room_out: most,
            targets: Vec::new(),
        };
        for flight in &snapshot.flights {
            let Some(database) = snapshot.databases.get(flight.database as usize) else { continue };
            work.shift(database, flight.from, flight.to);
        }
        work.rank();
        work
    }

    /// Counts a move on both sides.
    pub fn shift(&mut self, database: &Database, from: u32, to: u32) {
        let x = expected(database);
        if let Some(load) = self.load.get_mut(from as usize) {
            *load = (*load - x).max(0.0);
            self.room_out[from as usize] = self.room_out[from as usize].saturating_sub(1);
        }
        if let Some(load) = self.load.get_mut(to as usize) {
            *load += x;
            self.room_in[to as usize] = self.room_in[to as usize].saturating_sub(1);
        }
    }

    /// Finds the targets anew. To be called when loads have changed.
    pub fn rank(&mut self) {
        self.targets.clear();
        self.targets.resize(self.locations, NONE);
        for server in 0..self.load.len() {
            if !self.takes(server) || !self.is_known(server) || self.room_in[server] == 0 {
                continue;
            }
            let location = self.location(server);
            let mut targets = self.targets[location];
            let mut index = server as u32;
            for place in &mut targets.least {
                if *place == NOWHERE || self.before(index, *place) {
                    std::mem::swap(place, &mut index);
                }
                if index == NOWHERE {
                    break;
                }
            }
            let big = self.capacity[server] > self.objective.unit * 1.001;
            if big && (targets.big == NOWHERE || self.before(server as u32, targets.big)) {
                targets.big = server as u32;
            }
            self.targets[location] = targets;
        }
    }

    /// Whether one server is less loaded than another; of equals, the one with the smaller id.
    fn before(&self, a: u32, b: u32) -> bool {
        let (ua, ub) = (self.utilization(a), self.utilization(b));
        ua < ub || ua == ub && self.snapshot.servers[a as usize].id < self.snapshot.servers[b as usize].id
    }

    /// The servers of a location that a database may go to, each once.
    pub fn targets(&self, location: usize) -> impl Iterator<Item = u32> + '_ {
        let Targets { least, big } = self.targets[location];
        let big = Some(big).filter(|big| !least.contains(big));
        least.into_iter().chain(big).filter(|server| *server != NOWHERE)
    }

    pub fn takes(&self, server: usize) -> bool {
        self.snapshot.servers[server].state == State::Up
    }

    /// All servers that take databases.
    pub fn taking(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.load.len()).filter(|server| self.takes(*server))
    }

    /// Whether anybody knows what a server carries.
    pub fn is_known(&self, server: usize) -> bool {
        !self.snapshot.servers[server].load.is_nan()
    }

    /// Those of which it is known what they carry.
    pub fn weighed(&self) -> impl Iterator<Item = usize> + '_ {
        self.taking().filter(|server| self.is_known(*server))
    }

    pub fn location(&self, server: usize) -> usize {
        self.snapshot.servers[server].location.into()
    }

    pub fn utilization(&self, server: u32) -> f64 {
        self.load[server as usize] / self.capacity[server as usize]
    }

    /// What a server's utilisation would be with so much more or less.
    pub fn with(&self, server: u32, more: f64) -> f64 {
        ((self.load[server as usize] + more) / self.capacity[server as usize]).max(0.0)
    }

    /// A target's, when it is held against a ceiling: what is added counts a tenth more.
    pub fn with_added(&self, server: u32, database: &Database) -> f64 {
        self.with(server, ADDED * expected(database))
    }

    /// The clients' mean round trip if the database were on that server.
    pub fn mean_ms(&self, database: &Database, server: u32) -> f64 {
        let location = self.snapshot.servers[server as usize].location;
        self.snapshot.round_trips.mean_ms(self.snapshot.clients_of(database), location)
    }

    /// What a database adds to the objective on this server, which has it or does not.
    pub fn terms(&self, database: &Database, server: u32) -> Terms {
        Terms {
            load: self.load_term(database, server),
            distance: self
                .objective
                .distance(f64::from(database.requests).max(0.0), self.mean_ms(database, server)),
        }
    }

    /// What it adds by load alone.
    pub fn load_term(&self, database: &Database, server: u32) -> f64 {
        let x = expected(database);
        let load = self.load[server as usize];
        let without = if database.owner == server { (load - x).max(0.0) } else { load };
        self.objective.load(without, self.capacity[server as usize], x)
    }
}

/// The mean utilisation of the servers of which it is known.
fn known_mean(snapshot: &Snapshot) -> f64 {
    let known = snapshot.servers.iter().filter(|server| server.state == State::Up && !server.load.is_nan());
    let (load, capacity) = known.fold((0.0, 0.0), |(load, capacity), server| {
        (load + f64::from(server.load), capacity + f64::from(server.capacity))
    });
    if capacity > 0.0 { load / capacity } else { 0.0 }
}

/// What a database is expected to need; never negative.
pub(super) fn expected(database: &Database) -> f64 {
    f64::from(database.load).max(0.0)
}
