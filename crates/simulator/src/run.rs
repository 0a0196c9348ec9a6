//! Runs a world, and all policies on it side by side.
//!
//! In every minute: what was decided in the one before takes effect; the minute is counted by what databases truly need;
//! what they need is measured, with errors; each policy decides by that.

use std::time::Instant;

use model::placement::{Settings, State};

use crate::{
    bound,
    policy::{Kind, Move, Policy, View},
    tally::{Figures, Point, Tally, mean},
    world::{Scenario, World, clients::LOCATIONS, fleet::DAY},
};

/// What came of a run.
pub struct Outcome {
    /// By policy, in the order asked for.
    pub figures: Vec<Figures>,
    /// How the load went over the measured days, likewise.
    pub courses: Vec<Vec<Point>>,
    /// The least mean round trip that was possible, in milliseconds; see [`bound`].
    pub bound_ms: f64,
}

/// A policy on its way through the world.
struct Lane {
    kind: Kind,
    policy: Box<dyn Policy>,
    owners: Vec<u32>,
    decided: Vec<Move>,
    tally: Tally,
}

/// Runs policies with these settings (of ours) through a world. `told` hears of every hour that is over.
pub fn run(
    mut world: World,
    scenario: &Scenario,
    kinds: &[Kind],
    settings: &Settings,
    mut told: impl FnMut(u32),
) -> Outcome {
    let servers = world.fleet.servers.len();
    let mut lanes: Vec<Lane> = kinds
        .iter()
        .map(|kind| Lane {
            kind: *kind,
            policy: kind.policy(scenario.seed, settings),
            owners: Vec::new(),
            decided: Vec::new(),
            tally: Tally::new(servers, world.databases()),
        })
        .collect();
    let mut bounds = (Vec::new(), Vec::new());
    let mut before = vec![State::Up; servers];
    for minute in 0..scenario.minutes() {
        world.step(minute);
        let states: Vec<State> = (0..servers).map(|server| world.fleet.state(server, minute)).collect();
        let (changed, counts) = (states != before, minute >= DAY);
        let trips = world.clients.round_trips();
        for lane in &mut lanes {
            lane.minute(&world, &states, changed, minute, &trips, counts);
        }
        if counts {
            let (ms, load) = bound_of(&world, &states, &trips);
            bounds.0.push(ms * load);
            bounds.1.push(load);
        }
        before = states;
        if (minute + 1).is_multiple_of(60) {
            told((minute + 1) / 60);
        }
    }
    let name = scenario.workload.name();
    Outcome {
        figures: lanes.iter().map(|lane| lane.tally.figures(name, scenario.seed, lane.kind.name())).collect(),
        bound_ms: mean(&bounds.0) / mean(&bounds.1).max(f64::MIN_POSITIVE),
        courses: lanes.into_iter().map(|lane| lane.tally.course).collect(),
    }
}

impl Lane {
    fn minute(
        &mut self,
        world: &World,
        states: &[State],
        changed: bool,
        minute: u32,
        trips: &[[f64; LOCATIONS]],
        counts: bool,
    ) {
        let foresees = self.policy.foresees();
        if self.owners.is_empty() {
            self.owners = self.policy.begin(&view(world, states, changed, minute, &[], foresees));
        }
        for Move { database, to } in std::mem::take(&mut self.decided) {
            self.owners[database as usize] = to;
        }
        if foresees {
            self.decide(world, states, changed, minute, counts);
            for Move { database, to } in std::mem::take(&mut self.decided) {
                self.owners[database as usize] = to;
            }
        }
        if counts {
            self.tally.minute(world, states, trips, &self.owners);
        }
        if !foresees {
            self.decide(world, states, changed, minute, counts);
        }
    }

    fn decide(&mut self, world: &World, states: &[State], changed: bool, minute: u32, counts: bool) {
        let view = view(world, states, changed, minute, &self.owners, self.policy.foresees());
        let began = Instant::now();
        self.decided = self.policy.decide(&view);
        if counts {
            self.tally.took(began.elapsed().as_secs_f64() * 1e3);
        }
        self.tally.decided(world, states, &self.owners, &self.decided, minute, counts);
    }
}

fn view<'a>(
    world: &'a World,
    states: &'a [State],
    changed: bool,
    minute: u32,
    owners: &'a [u32],
    foresees: bool,
) -> View<'a> {
    let levels = if foresees { &world.loads } else { &world.levels };
    View { minute, fleet: &world.fleet, states, changed, clients: &world.clients, levels, owners }
}

/// The bound of this minute, and how many requests it is the mean of.
fn bound_of(world: &World, states: &[State], trips: &[[f64; LOCATIONS]]) -> (f64, f64) {
    let mut loads = vec![0.0; trips.len()];
    for (load, class) in world.loads.iter().zip(&world.clients.class) {
        loads[usize::from(*class)] += f64::from(*load);
    }
    let mut capacity = [0.0; LOCATIONS];
    for (server, state) in world.fleet.servers.iter().zip(states) {
        // One that drains may serve for some of the time.
        if *state != State::Down {
            capacity[usize::from(server.location)] += server.capacity;
        }
    }
    (bound::round_trip_ms(&loads, trips, capacity), loads.iter().sum())
}
