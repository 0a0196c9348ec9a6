//! Each rule of the policy by table, on small fleets; rules that hold for every fleet are in [`property`].

mod property;
mod rules;
mod single;

use super::*;
use crate::{DatabaseId, ServerId};

/// A fleet in the making: loads in cores, servers and databases by their order.
#[derive(Clone, Debug, Default)]
struct World {
    snapshot: Snapshot,
}

const MINUTE: u64 = 60_000;

impl World {
    /// Servers of one capacity, all in location 0.
    fn of(servers: usize, capacity: f32) -> Self {
        let mut world = Self::default();
        world.snapshot.round_trips = RoundTrips::new(3, |a, b| Some(if a == b { 1.0 } else { 80.0 }));
        (0..servers).for_each(|_| world.server(0, capacity));
        world
    }

    fn server(&mut self, location: u16, capacity: f32) {
        let id = ServerId(self.snapshot.servers.len() as u32 + 1);
        let state = State::Up;
        self.snapshot.servers.push(Server { id, location, domain: location, capacity, load: 0.0, state });
    }

    /// Gives a server so many databases of this load each; the index of the first.
    fn databases(&mut self, owner: u32, count: usize, load: f32) -> u32 {
        let first = self.snapshot.databases.len() as u32;
        for at in 0..count {
            let id = DatabaseId(u64::from(first) + at as u64 + 1);
            let none = (self.snapshot.clients.len() as u32, 0);
            self.snapshot.databases.push(Database {
                id,
                owner,
                load,
                requests: load,
                clients_from: none.0,
                clients_len: none.1,
                pin: Pin::Anywhere,
            });
            if let Some(server) = self.snapshot.servers.get_mut(owner as usize) {
                server.load += load;
            }
        }
        first
    }

    /// Says where a database's clients are.
    fn clients(&mut self, database: u32, shares: &[(u16, f32)]) {
        let from = self.snapshot.clients.len() as u32;
        let shares =
            shares.iter().map(|(location, share)| ClientShare { location: *location, share: *share });
        self.snapshot.clients.extend(shares);
        let record = &mut self.snapshot.databases[database as usize];
        record.clients_from = from;
        record.clients_len = (self.snapshot.clients.len() as u32 - from) as u16;
    }

    fn pin(&mut self, database: u32, pin: Pin) {
        self.snapshot.databases[database as usize].pin = pin;
    }

    /// Carries out a plan.
    fn carry_out(&mut self, plan: &Plan) {
        for planned in &plan.moves {
            let database = &mut self.snapshot.databases[planned.database as usize];
            assert_eq!(database.owner, planned.from);
            database.owner = planned.to;
            self.snapshot.servers[planned.from as usize].load -= database.load;
            self.snapshot.servers[planned.to as usize].load += database.load;
        }
    }

    fn utilization(&self, server: usize) -> f32 {
        self.snapshot.servers[server].load / self.snapshot.servers[server].capacity
    }
}

/// Rounds a minute apart, with round limits and with budgets that do not matter.
struct Rounds {
    settings: Settings,
    memory: Memory,
    now_ms: u64,
}

impl Rounds {
    fn new() -> Self {
        let settings = Settings {
            soft_limit: 0.65,
            urgent_limit: 0.70,
            hard_limit: 0.75,
            rtt_weight: 0.004,
            moves_per_minute: 1_000.0,
            emergency_moves_per_minute: 1_000.0,
            max_in_flight_per_server: 1_000,
            ..Settings::default()
        };
        let mut rounds = Self { settings, memory: Memory::default(), now_ms: 0 };
        rounds.memory.begin(&rounds.settings, 1, 0);
        rounds
    }

    /// What a round a minute later decides, without carrying it out.
    fn look(&mut self, world: &World) -> Plan {
        self.now_ms += MINUTE;
        plan(&world.snapshot, &self.settings, &mut self.memory, self.now_ms)
    }

    /// The same, carried out.
    fn round(&mut self, world: &mut World) -> Plan {
        let plan = self.look(world);
        plan.moves.iter().for_each(|planned| self.memory.commit(planned, &self.settings, self.now_ms));
        world.carry_out(&plan);
        plan
    }
}

fn count(plan: &Plan, why: Skip) -> u32 {
    plan.skipped.get(&why).copied().unwrap_or(0)
}
