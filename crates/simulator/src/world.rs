//! The world that policies are tried on: servers, databases, clients, and what every database needs in every minute.
//!
//! It knows no policy, and no policy changes it: all see the same world of a seed.

pub mod clients;
mod day;
pub mod fleet;
mod spikes;

use clients::Clients;
use day::Shape;
use fleet::{DAY, Fleet};
use spikes::{DATABASE_MAX, Surges};

use crate::{
    random::{Noise, Random},
    recorded::Recorded,
    workload::{Workload, scale_for},
};

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// How load is spread, and how full the fleet is.
    pub workload: Workload,
    /// How many databases. At least 1; of no effect when load is recorded.
    pub databases: usize,
    /// How many servers. At least 8, so that each location has some.
    pub servers: usize,
    /// How many days are measured, after one day to settle in. At least 1.
    pub days: u32,
    /// What the rest follows from.
    pub seed: u64,
}

impl Scenario {
    /// How many minutes there are, the first day included.
    pub fn minutes(&self) -> u32 {
        (self.days + 1) * DAY
    }
}

/// A world, as it is in one minute.
pub struct World {
    /// The servers.
    pub fleet: Fleet,
    /// The clients.
    pub clients: Clients,
    /// What each database truly needs now, in small servers.
    pub loads: Vec<f32>,
    /// What is known of it: measured with 5 % error, and decayed with a half-life of 90 s.
    pub levels: Vec<f32>,
    demand: Demand,
    meter: Noise,
}

/// Where load comes from.
enum Demand {
    Synthetic(Synthetic),
    Recorded { recorded: Recorded, scale: f32 },
}

struct Synthetic {
    means: Vec<f32>,
    /// Where each database is in the tables at midnight: its table, and the minute in it.
    phase: Vec<(u16, u16)>,
    tables: Vec<f32>,
    surges: Surges,
    wander: Vec<f32>,
    noise: Noise,
}

/// How much of a database's deviation is left after a minute, and how large deviations are.
const PERSISTENCE: f64 = 0.95;
const DEVIATION: f64 = 0.25;

/// What is left of a level after a minute.
const LEVEL_KEPT: f32 = 0.63;

/// The error of measuring, as a share.
const METER_ERROR: f64 = 0.05;

impl World {
    /// The synthetic world of a seed, before its first minute.
    pub fn new(scenario: &Scenario) -> Self {
        let Scenario { workload, databases, seed, .. } = *scenario;
        let days = scenario.days + 1;
        let fleet = Fleet::new(scenario.servers, &mut Random::new(seed, 1));
        let clients = Clients::new(databases, days, &mut Random::new(seed, 2));
        let total = workload.utilization() * fleet.capacity();
        let means = workload.means(databases, total, &mut Random::new(seed, 3));
        let mut random = Random::new(seed, 4);
        let phase = (0..databases).map(|database| phase(clients.home(database), &mut random)).collect();
        let synthetic = Synthetic {
            means,
            phase,
            tables: day::tables(),
            surges: Surges::new(databases, days, &mut Random::new(seed, 5)),
            wander: vec![0.0; databases],
            noise: Noise::new(seed, 6, DEVIATION * (1.0 - PERSISTENCE * PERSISTENCE).sqrt()),
        };
        Self::with(fleet, clients, Demand::Synthetic(synthetic), databases, seed)
    }

    /// The same fleet and clients with recorded load, which is scaled to the workload's mean utilisation.
    ///
    /// What is recorded is played again from its beginning when it is over: a single day serves to settle in, too.
    pub fn replaying(recorded: Recorded, scenario: &Scenario) -> Self {
        let (databases, seed) = (recorded.databases(), scenario.seed);
        let fleet = Fleet::new(scenario.servers, &mut Random::new(seed, 1));
        let clients = Clients::new(databases, scenario.days + 1, &mut Random::new(seed, 2));
        let total = scenario.workload.utilization() * fleet.capacity();
        let scale = scale_for(&recorded.means(), total) as f32;
        Self::with(fleet, clients, Demand::Recorded { recorded, scale }, databases, seed)
    }

    fn with(fleet: Fleet, clients: Clients, demand: Demand, databases: usize, seed: u64) -> Self {
        let (loads, levels) = (vec![0.0; databases], vec![0.0; databases]);
        Self { fleet, clients, loads, levels, demand, meter: Noise::new(seed, 7, METER_ERROR) }
    }

    /// How many databases there are.
    pub fn databases(&self) -> usize {
        self.loads.len()
    }

    /// Goes on to a minute: what is needed in it. To be called for one minute after the other.
    pub fn step(&mut self, minute: u32) {
        self.clients.step(minute);
        match &mut self.demand {
            Demand::Synthetic(synthetic) => synthetic.step(minute, &mut self.loads),
            Demand::Recorded { recorded, scale } => {
                recorded.step(minute, &mut self.loads);
                self.loads.iter_mut().for_each(|load| *load = (*load * *scale).min(DATABASE_MAX));
            }
        }
        let loads = &self.loads;
        // The first measurement counts alone.
        let kept = if minute == 0 { 0.0 } else { LEVEL_KEPT };
        self.meter.each(&mut self.levels, |database, level, error| {
            *level = *level * kept + loads[database] * (1.0 + error) * (1.0 - kept);
        });
    }
}

impl Synthetic {
    fn step(&mut self, minute: u32, loads: &mut [f32]) {
        let (wander, tables, means, phase) = (&mut self.wander, &self.tables, &self.means, &self.phase);
        let of_day = minute % DAY;
        self.noise.each(loads, |database, load, noise| {
            let wander = &mut wander[database];
            *wander = *wander * PERSISTENCE as f32 + noise;
            let (table, begins) = phase[database];
            let at = of_day + u32::from(begins);
            let at = if at >= DAY { at - DAY } else { at };
            let shape = tables[usize::from(table) + at as usize];
            *load = means[database] * shape * (1.0 + *wander).max(0.1);
        });
        self.surges.apply(minute, loads);
    }
}

fn phase(home: Option<usize>, random: &mut Random) -> (u16, u16) {
    // Where clients are everywhere, some are always busy.
    let shape = home.map_or(Shape::Flat, |_| Shape::of(random.uniform()));
    let clock = home.map_or(0, |home| clients::CLOCK[home]) + random.below(shape.spread() as usize) as i32;
    let begins = (clock - shape.spread() as i32 / 2).rem_euclid(DAY as i32);
    (shape as u16 * DAY as u16, begins as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(workload: Workload) -> Scenario {
        Scenario { workload, databases: 10_000, servers: 40, days: 1, seed: 7 }
    }

    #[test]
    fn a_seed_gives_the_same_world_again() {
        let mut worlds = [World::new(&scenario(Workload::W1)), World::new(&scenario(Workload::W1))];
        for minute in 0..100 {
            worlds.iter_mut().for_each(|world| world.step(minute));
        }
        assert_eq!(worlds[0].loads, worlds[1].loads);
        assert_eq!(worlds[0].levels, worlds[1].levels);
        let mut other = World::new(&Scenario { seed: 8, ..scenario(Workload::W1) });
        other.step(0);
        assert_ne!(other.loads, worlds[0].loads);
    }

    #[test]
    fn the_mean_utilisation_is_the_workloads_and_the_busiest_hour_stands_out() {
        for workload in Workload::ALL {
            let mut world = World::new(&scenario(workload));
            let capacity = world.fleet.capacity();
            let mut course = Vec::new();
            for minute in 0..DAY {
                world.step(minute);
                course.push(world.loads.iter().map(|load| f64::from(*load)).sum::<f64>() / capacity);
            }
            let mean = course.iter().sum::<f64>() / f64::from(DAY);
            let most = course.chunks(60).map(|hour| hour.iter().sum::<f64>() / 60.0).fold(0.0, f64::max);
            let aim = workload.utilization();
            assert!((mean / aim - 1.0).abs() < 0.12, "{workload:?}: {mean}");
            assert!(most > 1.15 * mean && most < 1.7 * mean, "{workload:?}: {most} of {mean}");
        }
    }
}
