//! What the policy looks at: servers, databases and round trips, as dense arrays.

use crate::{DatabaseId, ServerId, ServerState};

/// No server: the index of an owner, a pin's server or a previous owner that is not there.
pub const NOWHERE: u32 = u32::MAX;

/// Everything that a round is decided by. Loads and capacities share one unit, such as cores; only their ratios count.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// All servers that anybody refers to.
    pub servers: Vec<Server>,
    /// The databases that have load, clients or a pin. Idle ones may be left out.
    pub databases: Vec<Database>,
    /// Where requests come from, for all databases; each refers to a range of it.
    pub clients: Vec<ClientShare>,
    /// How far locations are from each other.
    pub round_trips: RoundTrips,
    /// Moves that are under way.
    pub flights: Vec<Flight>,
    /// Whether what is known of load is too old to move anything by it. Pins are obeyed all the same.
    pub frozen: bool,
}

/// A server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Server {
    /// Which.
    pub id: ServerId,
    /// Where it is; an index into the round trips.
    pub location: u16,
    /// What fails together with it: servers of one domain have the same number.
    pub domain: u16,
    /// What it can carry. More than 0.
    pub capacity: f32,
    /// What it carries, all its databases included. Not a number where nobody knows: then it neither gives nor gets for
    /// load and distance, and counts as carrying as much as the others for a database that has to go somewhere.
    pub load: f32,
    /// Whether it takes databases.
    pub state: ServerState,
}

/// A database.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Database {
    /// Which.
    pub id: DatabaseId,
    /// The index of its server, or [`NOWHERE`].
    pub owner: u32,
    /// What it is expected to need.
    pub load: f32,
    /// What its requests count when its clients' distance is weighed, in the unit of load.
    pub requests: f32,
    /// Where its first client share is in [`Snapshot::clients`].
    pub clients_from: u32,
    /// How many it has; none where too few requests were counted.
    pub clients_len: u16,
    /// Where it must be.
    pub pin: Pin,
}

/// Where a database must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pin {
    /// Where it is best.
    #[default]
    Anywhere,
    /// On the server of this index. [`NOWHERE`] when that server is not there.
    Server(u32),
    /// In this location. One that no server is in has an index, too.
    Location(u16),
}

/// A part of a database's requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClientShare {
    /// Where they come from; an index into the round trips.
    pub location: u16,
    /// Which part, 0 to 1. Those of a database add up to 1.
    pub share: f32,
}

/// A move under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// The index of the database.
    pub database: u32,
    /// The index of the server that lets go, or [`NOWHERE`].
    pub from: u32,
    /// The index of the server that gets it.
    pub to: u32,
}

impl Snapshot {
    /// Where a database's requests come from.
    pub fn clients_of(&self, database: &Database) -> &[ClientShare] {
        let from = database.clients_from as usize;
        self.clients.get(from..from + usize::from(database.clients_len)).unwrap_or_default()
    }

    /// The server of this index; `None` for [`NOWHERE`].
    pub fn server(&self, index: u32) -> Option<&Server> {
        self.servers.get(index as usize)
    }

    /// Whether a database may be on a server, as far as its pin goes.
    pub fn allows(&self, pin: Pin, server: u32) -> bool {
        match pin {
            Pin::Anywhere => true,
            Pin::Server(only) => only == server,
            Pin::Location(location) => self.server(server).is_some_and(|server| server.location == location),
        }
    }
}

/// Round trips between every client location and every location of servers, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoundTrips {
    locations: usize,
    ms: Vec<f32>,
    measured: Vec<bool>,
}

impl RoundTrips {
    /// Between so many locations, as measured from the first to the second.
    ///
    /// What was not measured counts as the farthest known from there, so that nothing is drawn to the unknown.
    /// A location is near itself unless the opposite was measured.
    pub fn new(locations: u16, measured: impl Fn(u16, u16) -> Option<f32>) -> Self {
        let mut trips = Self { locations: locations.into(), ms: Vec::new(), measured: Vec::new() };
        for client in 0..locations {
            let known = |server| {
                let near = (client == server).then_some(NEAR_MS);
                measured(client, server).filter(|ms| ms.is_finite() && *ms >= 0.0).or(near)
            };
            let row: Vec<Option<f32>> = (0..locations).map(known).collect();
            let farthest = row.iter().flatten().copied().fold(0.0, f32::max);
            trips.ms.extend(row.iter().map(|ms| ms.unwrap_or(farthest)));
            trips.measured.extend(row.iter().map(Option::is_some));
        }
        trips
    }

    /// How many locations there are.
    pub fn locations(&self) -> usize {
        self.locations
    }

    /// From clients in one location to servers in another.
    pub fn ms(&self, client: u16, server: u16) -> f32 {
        self.at(client, server).map_or(0.0, |at| self.ms[at])
    }

    /// Whether that was measured.
    pub fn knows(&self, client: u16, server: u16) -> bool {
        self.at(client, server).is_some_and(|at| self.measured[at])
    }

    /// The mean over a database's clients.
    pub fn mean_ms(&self, clients: &[ClientShare], server: u16) -> f64 {
        // A sum of nothing would be -0.
        let parts =
            clients.iter().map(|part| f64::from(part.share) * f64::from(self.ms(part.location, server)));
        parts.fold(0.0, |sum, part| sum + part)
    }

    fn at(&self, client: u16, server: u16) -> Option<usize> {
        let (client, server) = (usize::from(client), usize::from(server));
        (client < self.locations && server < self.locations).then(|| client * self.locations + server)
    }
}

/// How far a location is from itself where nobody measured it, in milliseconds.
const NEAR_MS: f32 = 0.5;
