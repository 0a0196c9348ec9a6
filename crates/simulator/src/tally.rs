//! What a policy came to: counted minute by minute, and what is told of it in the end.

use model::placement::State;
use serde::{Deserialize, Serialize};

use crate::{
    policy::Move,
    world::{World, clients::LOCATIONS, fleet::DAY},
};

/// A database that is back on the server it came from within so many minutes was moved for nothing.
const BACK_WITHIN: u32 = 60;

/// The result of one policy in one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The workload's name.
    pub workload: String,
    /// The seed.
    pub seed: u64,
    /// The policy's name.
    pub policy: String,
    /// Server-minutes a day above 90 % of a server's capacity.
    pub overload: f64,
    /// Above 100 %.
    pub overload_full: f64,
    /// Minutes a day above 90 % of the server that only one in a hundred surpasses.
    pub overload_p99_server: f64,
    /// The hottest server's utilisation by the fleet's, on average.
    pub hottest: f64,
    /// And its 99th percentile over the minutes.
    pub hottest_p99: f64,
    /// The mean round trip of all requests, in milliseconds.
    pub round_trip_ms: f64,
    /// Moves an hour, those off dead and draining servers left out.
    pub moves_per_hour: f64,
    /// Which share of all load these carry in an hour.
    pub load_moved_per_hour: f64,
    /// Moves a day back to where a database came from less than an hour before.
    pub back_and_forth: f64,
    /// As a share of all moves.
    pub back_and_forth_share: f64,
    /// How long the policy takes for a decision, in milliseconds of the machine's time, on average.
    pub decision_ms: f64,
    /// And at most.
    pub decision_ms_max: f64,
}

/// The fleet in one minute, as a share of capacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The hottest server.
    pub hottest: f32,
    /// The server that one in a hundred surpasses.
    pub p99: f32,
    /// All together.
    pub mean: f32,
}

/// Counts. Nothing of the first day, but which moves were made in it.
pub(crate) struct Tally {
    minutes: u32,
    above_90: Vec<u32>,
    above_100: u64,
    hottest: Vec<f32>,
    requests: f64,
    waited: f64,
    moves: u64,
    moved: f64,
    back: u64,
    decisions: Vec<f64>,
    /// Each database's last move: from which server, and when.
    last: Vec<(u32, u32)>,
    pub(crate) course: Vec<Point>,
}

impl Tally {
    pub fn new(servers: usize, databases: usize) -> Self {
        Self {
            minutes: 0,
            above_90: vec![0; servers],
            above_100: 0,
            hottest: Vec::new(),
            requests: 0.0,
            waited: 0.0,
            moves: 0,
            moved: 0.0,
            back: 0,
            decisions: Vec::new(),
            last: vec![(u32::MAX, 0); databases],
            course: Vec::new(),
        }
    }

    /// A minute in which databases were there.
    pub fn minute(&mut self, world: &World, states: &[State], trips: &[[f64; LOCATIONS]], owners: &[u32]) {
        let servers = &world.fleet.servers;
        let mut loads = vec![0.0; servers.len()];
        for ((load, owner), class) in world.loads.iter().zip(owners).zip(&world.clients.class) {
            let (load, owner) = (f64::from(*load), *owner as usize);
            loads[owner] += load;
            if states[owner] != State::Down {
                self.requests += load;
                self.waited += load * trips[usize::from(*class)][usize::from(servers[owner].location)];
            }
        }
        let alive: Vec<usize> = (0..servers.len()).filter(|server| states[*server] != State::Down).collect();
        let mut used: Vec<f64> = Vec::with_capacity(alive.len());
        let (mut load, mut capacity) = (0.0, 0.0);
        for server in alive {
            let share = loads[server] / servers[server].capacity;
            self.above_90[server] += u32::from(share > 0.9);
            self.above_100 += u64::from(share > 1.0);
            load += loads[server];
            capacity += servers[server].capacity;
            used.push(share);
        }
        used.sort_by(f64::total_cmp);
        let (hottest, mean) = (percentile(&used, 1.0), load / capacity);
        self.hottest.push((hottest / mean.max(f64::MIN_POSITIVE)) as f32);
        self.course.push(Point {
            hottest: hottest as f32,
            p99: percentile(&used, 0.99) as f32,
            mean: mean as f32,
        });
        self.minutes += 1;
    }

    /// Moves that were decided in a minute; `counts` says whether it is one of the measured days.
    pub fn decided(
        &mut self,
        world: &World,
        states: &[State],
        owners: &[u32],
        moves: &[Move],
        minute: u32,
        counts: bool,
    ) {
        let total: f64 = world.loads.iter().map(|load| f64::from(*load)).sum();
        for Move { database, to } in moves {
            let from = owners[*database as usize];
            if states[from as usize] != State::Up {
                continue;
            }
            let (before, when) = std::mem::replace(&mut self.last[*database as usize], (from, minute));
            if counts {
                self.moves += 1;
                self.moved += f64::from(world.loads[*database as usize]) / total;
                self.back += u64::from(before == *to && minute - when <= BACK_WITHIN);
            }
        }
    }

    pub fn took(&mut self, ms: f64) {
        self.decisions.push(ms);
    }

    pub fn figures(&self, workload: &str, seed: u64, policy: &str) -> Figures {
        let days = f64::from(self.minutes) / f64::from(DAY);
        let mut above: Vec<f64> = self.above_90.iter().map(|minutes| f64::from(*minutes) / days).collect();
        above.sort_by(f64::total_cmp);
        let mut hottest: Vec<f64> = self.hottest.iter().map(|ratio| f64::from(*ratio)).collect();
        hottest.sort_by(f64::total_cmp);
        let moves = self.moves as f64;
        Figures {
            workload: workload.into(),
            seed,
            policy: policy.into(),
            overload: above.iter().sum(),
            overload_full: self.above_100 as f64 / days,
            overload_p99_server: percentile(&above, 0.99),
            hottest: mean(&hottest),
            hottest_p99: percentile(&hottest, 0.99),
            round_trip_ms: self.waited / self.requests.max(f64::MIN_POSITIVE),
            moves_per_hour: moves / days / 24.0,
            load_moved_per_hour: self.moved / days / 24.0,
            back_and_forth: self.back as f64 / days,
            back_and_forth_share: self.back as f64 / moves.max(1.0),
            decision_ms: mean(&self.decisions),
            decision_ms_max: self.decisions.iter().copied().fold(0.0, f64::max),
        }
    }
}

/// Of values in ascending order, the one that so large a part does not surpass; 0 without any.
pub(crate) fn percentile(sorted: &[f64], part: f64) -> f64 {
    let rank = (part * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{workload::Workload, world::Scenario};

    #[test]
    fn moves_count_but_not_those_off_dead_servers_and_back_within_an_hour_is_told() {
        let scenario = Scenario { workload: Workload::W1, databases: 10, servers: 8, days: 1, seed: 1 };
        let mut world = World::new(&scenario);
        world.step(0);
        let mut states = vec![State::Up; 8];
        let mut tally = Tally::new(8, 10);
        let decide = |tally: &mut Tally, states: &[State], from: u32, to: u32, minute| {
            tally.decided(&world, states, &[from; 10], &[Move { database: 3, to }], minute, true);
        };
        decide(&mut tally, &states, 0, 1, 10);
        decide(&mut tally, &states, 1, 0, 70);
        decide(&mut tally, &states, 0, 1, 131);
        assert_eq!((tally.moves, tally.back), (3, 1), "the third is back after 61 minutes");
        states[1] = State::Down;
        decide(&mut tally, &states, 1, 0, 132);
        assert_eq!(tally.moves, 3);
    }

    #[test]
    fn minutes_above_the_limits_are_counted_by_server() {
        let scenario = Scenario { workload: Workload::W1, databases: 3, servers: 8, days: 1, seed: 1 };
        let mut world = World::new(&scenario);
        world.step(0);
        // Servers 2 to 7 are small.
        world.loads = vec![0.95, 1.05, 0.85];
        let mut tally = Tally::new(8, 3);
        tally.minute(&world, &[State::Up; 8], &world.clients.round_trips(), &[5, 6, 7]);
        tally.minutes = DAY;
        let figures = tally.figures("w1", 1, "x");
        assert_eq!((figures.overload, figures.overload_full), (2.0, 1.0));
        assert_eq!(figures.overload_p99_server, 1.0);
        let mean = (0.95 + 1.05 + 0.85) / 10.0;
        assert!((figures.hottest - 1.05 / mean).abs() < 1e-5);
    }
}
