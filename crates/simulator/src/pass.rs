//! How long one round of the controllers' policy takes for a fleet of any size.

use std::time::Instant;

use model::placement::{Settings, State};

use crate::{
    policy::{
        Kind, View,
        stationmaster::{Stationmaster, now_ms, settings as settings_of},
    },
    tally::percentile,
    world::{Scenario, World},
};

/// What rounds took, in milliseconds of the machine's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pass {
    /// The median of [`model::placement::plan`].
    pub plan_ms: f64,
    /// Its shortest, which other processes disturb least.
    pub plan_ms_least: f64,
    /// And its longest.
    pub plan_ms_max: f64,
    /// The median of writing all loads, owners and clients into the policy's arrays.
    pub look_ms: f64,
    /// How many moves were planned in all rounds.
    pub moves: usize,
    /// How many rounds there were.
    pub rounds: usize,
}

/// Plays so many rounds, beginning with databases in their nearest locations, where a few servers carry far too much.
pub fn pass(scenario: &Scenario, rounds: u32, settings: &Settings) -> Pass {
    let mut world = World::new(scenario);
    let states = vec![State::Up; scenario.servers];
    world.step(0);
    let mut ours = Stationmaster::new(settings_of(Kind::Stationmaster, settings));
    let view = view(&world, &states, 0, &[]);
    let mut owners = Kind::Nearest.policy(scenario.seed, settings).begin(&view);
    ours.meet(&view);
    let (mut plans, mut looks, mut moves) = (Vec::new(), Vec::new(), 0);
    for minute in 1..=rounds {
        world.step(minute);
        let view = self::view(&world, &states, minute, &owners);
        let began = Instant::now();
        ours.look(&view);
        looks.push(began.elapsed().as_secs_f64() * 1e3);
        let began = Instant::now();
        let plan = ours.plan(now_ms(minute));
        plans.push(began.elapsed().as_secs_f64() * 1e3);
        moves += plan.moves.len();
        plan.moves.iter().for_each(|planned| owners[planned.database as usize] = planned.to);
    }
    plans.sort_by(f64::total_cmp);
    looks.sort_by(f64::total_cmp);
    Pass {
        plan_ms: percentile(&plans, 0.5),
        plan_ms_least: percentile(&plans, 0.0),
        plan_ms_max: percentile(&plans, 1.0),
        look_ms: percentile(&looks, 0.5),
        moves,
        rounds: plans.len(),
    }
}

fn view<'a>(world: &'a World, states: &'a [State], minute: u32, owners: &'a [u32]) -> View<'a> {
    View {
        minute,
        fleet: &world.fleet,
        states,
        changed: false,
        clients: &world.clients,
        levels: &world.levels,
        owners,
    }
}
