//! From the hottest server to the coolest: the largest database that does not make the coolest the hotter of both, as
//! long as the hottest is above 1.05 of the mean, 20 times a minute. It begins with two choices.

use super::{Move, Policy, View, two_choices};
use crate::random::Random;

/// How far above the mean the hottest server may be.
const ABOVE: f64 = 1.05;

/// Moves in a minute.
const MOVES: usize = 20;

pub(super) struct Greedy {
    random: Random,
}

impl Greedy {
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed, 22) }
    }
}

impl Policy for Greedy {
    fn begin(&mut self, view: &View<'_>) -> Vec<u32> {
        two_choices::TwoChoices::new(self.random.bits()).begin(view)
    }

    fn decide(&mut self, view: &View<'_>) -> Vec<Move> {
        let mut moves = two_choices::place_stranded(view, &mut self.random, |_| view.taking());
        let mut owners = view.owners.to_vec();
        let mut loads = view.server_loads();
        for Move { database, to } in &moves {
            let owner = &mut owners[*database as usize];
            let x = f64::from(view.levels[*database as usize]);
            loads[std::mem::replace(owner, *to) as usize] -= x;
            loads[*to as usize] += x;
        }
        for _ in 0..MOVES {
            let Some(chosen) = step(view, &owners, &loads) else { break };
            let Move { database, to } = chosen;
            let x = f64::from(view.levels[database as usize]);
            loads[std::mem::replace(&mut owners[database as usize], to) as usize] -= x;
            loads[to as usize] += x;
            moves.push(chosen);
        }
        moves
    }
}

fn step(view: &View<'_>, owners: &[u32], loads: &[f64]) -> Option<Move> {
    let capacity = |server: usize| view.fleet.servers[server].capacity;
    let used = |server: usize| loads[server] / capacity(server);
    let taking = view.taking();
    let mean = taking.iter().map(|server| loads[*server]).sum::<f64>() / view.capacity();
    let hottest = taking.iter().copied().max_by(|a, b| used(*a).total_cmp(&used(*b)))?;
    let coolest = taking.iter().copied().min_by(|a, b| used(*a).total_cmp(&used(*b)))?;
    if used(hottest) <= ABOVE * mean {
        return None;
    }
    let gap = used(hottest) - used(coolest);
    let most = gap / (1.0 / capacity(hottest) + 1.0 / capacity(coolest));
    let databases = (0..owners.len()).filter(|database| owners[*database] == hottest as u32);
    let fitting = databases.filter(|database| f64::from(view.levels[*database]) <= most);
    let largest = fitting.max_by(|a, b| view.levels[*a].total_cmp(&view.levels[*b]))?;
    (view.levels[largest] > 0.0).then_some(Move { database: largest as u32, to: coolest as u32 })
}
