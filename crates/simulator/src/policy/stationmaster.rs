//! Ours: the controllers' own `model::placement`, given what a leader would know. Nothing is decided here.

use std::time::Duration;

use model::{
    DatabaseId, ServerId,
    placement::{
        self, ClientShare, Database, Memory, Pin, Plan, RoundTrips, Server, Settings, Snapshot, State, Wanted,
    },
};

use super::{Kind, Move, Policy, View};
use crate::world::clients::{CLASSES, LOCATIONS, ROUND_TRIP_MS, Shares};

/// Rounds in a minute: the controllers plan every ten seconds.
const ROUNDS: u32 = 6;

/// The settings of a variant.
pub(crate) fn settings(kind: Kind, settings: &Settings) -> Settings {
    let usual = settings.clone();
    match kind {
        Kind::Loadonly => Settings { rtt_weight: 0.0, location_share: 0.0, ..usual },
        Kind::Fixed => Settings { float_limits: false, adapt_band: false, ..usual },
        Kind::Returning => Settings { no_return: Duration::ZERO, ..usual },
        Kind::Restless => Settings { band_high: 0.0, band_low: 0.0, cooldown: Duration::ZERO, ..usual },
        Kind::Stationmaster
        | Kind::Consistent
        | Kind::Bounded
        | Kind::TwoChoices
        | Kind::Nearest
        | Kind::Greedy
        | Kind::Lpt
        | Kind::Ideal => usual,
    }
}

pub(crate) struct Stationmaster {
    settings: Settings,
    snapshot: Snapshot,
    memory: Memory,
}

impl Stationmaster {
    pub fn new(settings: Settings) -> Self {
        Self { settings, snapshot: Snapshot::default(), memory: Memory::default() }
    }

    /// Everything about the world that does not change. Databases are nowhere yet.
    pub fn meet(&mut self, view: &View<'_>) {
        let servers = view.fleet.servers.iter().enumerate();
        self.snapshot.servers = servers
            .map(|(index, server)| Server {
                id: ServerId(index as u32 + 1),
                location: server.location.into(),
                domain: server.location.into(),
                capacity: server.capacity as f32,
                load: 0.0,
                state: State::Up,
            })
            .collect();
        let database = |index: usize| Database {
            id: DatabaseId(index as u64 + 1),
            owner: placement::NOWHERE,
            load: 0.0,
            requests: 0.0,
            clients_from: 0,
            clients_len: LOCATIONS as u16,
            pin: Pin::Anywhere,
        };
        self.snapshot.databases = (0..view.levels.len()).map(database).collect();
        let trip = |from: u16, to: u16| Some(ROUND_TRIP_MS[usize::from(from)][usize::from(to)]);
        self.snapshot.round_trips = RoundTrips::new(LOCATIONS as u16, trip);
        self.look(view);
    }

    /// What changes: loads, owners, states, clients.
    pub fn look(&mut self, view: &View<'_>) {
        let Snapshot { servers, databases, clients, .. } = &mut self.snapshot;
        clients.clear();
        for shares in view.clients.counted() {
            push(clients, shares);
        }
        debug_assert_eq!(clients.len(), CLASSES * LOCATIONS);
        for (index, database) in databases.iter_mut().enumerate() {
            (database.load, database.requests) = (view.levels[index], view.levels[index]);
            database.clients_from = u32::from(view.clients.class[index]) * LOCATIONS as u32;
            database.owner = view.owners.get(index).copied().unwrap_or(placement::NOWHERE);
        }
        for (index, shares) in view.clients.in_between(view.minute) {
            databases[index as usize].clients_from = clients.len() as u32;
            push(clients, &shares);
        }
        let loads = view.server_loads();
        for (server, (load, state)) in servers.iter_mut().zip(loads.into_iter().zip(view.states)) {
            (server.load, server.state) = (load as f32, *state);
        }
    }

    /// A round of the rebalancer.
    pub fn plan(&mut self, now_ms: u64) -> Plan {
        let plan = placement::plan(&self.snapshot, &self.settings, &mut self.memory, now_ms);
        for planned in &plan.moves {
            self.memory.commit(planned, &self.settings, now_ms);
        }
        plan
    }

    /// Gives one database a server, as creation, failover and drains do.
    fn place(&mut self, database: u32) -> Option<u32> {
        let wanted = Wanted::of(&self.snapshot, &self.snapshot.databases[database as usize]);
        let to = placement::place(&self.snapshot, &self.settings, &wanted, &[])?.server;
        self.shift(database, to);
        Some(to)
    }

    /// A move is over, as it is long before the next round.
    fn shift(&mut self, database: u32, to: u32) {
        let Database { load, owner, .. } = &mut self.snapshot.databases[database as usize];
        if let Some(from) = self.snapshot.servers.get_mut(*owner as usize) {
            from.load -= *load;
        }
        self.snapshot.servers[to as usize].load += *load;
        *owner = to;
    }
}

impl Policy for Stationmaster {
    /// As if created one after the other, by somebody who is where the clients will be.
    fn begin(&mut self, view: &View<'_>) -> Vec<u32> {
        self.meet(view);
        (0..view.levels.len() as u32).map(|database| self.place(database).unwrap_or(0)).collect()
    }

    fn decide(&mut self, view: &View<'_>) -> Vec<Move> {
        self.look(view);
        let now_ms = now_ms(view.minute);
        let mut moves = Vec::new();
        for database in view.stranded() {
            if let Some(to) = self.place(database) {
                moves.push(Move { database, to });
            }
        }
        for round in 0..ROUNDS {
            for planned in self.plan(now_ms + u64::from(round) * ROUND_MS).moves {
                self.shift(planned.database, planned.to);
                moves.push(Move { database: planned.database, to: planned.to });
            }
        }
        moves
    }
}

const ROUND_MS: u64 = 60_000 / ROUNDS as u64;

/// The end of a minute, in the milliseconds that the policy counts in.
pub(crate) fn now_ms(minute: u32) -> u64 {
    (u64::from(minute) + 1) * 60_000
}

fn push(clients: &mut Vec<ClientShare>, shares: &Shares) {
    let shares = shares.iter().enumerate();
    clients.extend(shares.map(|(location, share)| ClientShare { location: location as u16, share: *share }));
}
