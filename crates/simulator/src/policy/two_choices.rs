//! The power of two choices: a new database goes to the less loaded of two servers, and stays there.

use super::{Move, Policy, View};
use crate::random::Random;

pub(super) struct TwoChoices {
    random: Random,
}

impl TwoChoices {
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed, 20) }
    }
}

impl Policy for TwoChoices {
    fn begin(&mut self, view: &View<'_>) -> Vec<u32> {
        let taking = view.taking();
        let mut loads = vec![0.0; view.states.len()];
        let all = 0..view.levels.len();
        all.map(|database| choose(view, database, &taking, &mut loads, &mut self.random)).collect()
    }

    fn decide(&mut self, view: &View<'_>) -> Vec<Move> {
        place_stranded(view, &mut self.random, |_| view.taking())
    }
}

/// The better of two of these servers; its load then counts the database.
pub(super) fn choose(
    view: &View<'_>,
    database: usize,
    among: &[usize],
    loads: &mut [f64],
    random: &mut Random,
) -> u32 {
    let x = f64::from(view.levels[database]);
    let (a, b) = (among[random.below(among.len())], among[random.below(among.len())]);
    let after = |server: usize| (loads[server] + x) / view.fleet.servers[server].capacity;
    let server = if after(a) <= after(b) { a } else { b };
    loads[server] += x;
    server as u32
}

/// Gives databases on servers that take none to the better of two others each.
pub(super) fn place_stranded(
    view: &View<'_>,
    random: &mut Random,
    among: impl Fn(usize) -> Vec<usize>,
) -> Vec<Move> {
    let stranded = view.stranded();
    if stranded.is_empty() {
        return Vec::new();
    }
    let mut loads = view.server_loads();
    let place = |database: u32| {
        let to = choose(view, database as usize, &among(database as usize), &mut loads, random);
        Move { database, to }
    };
    stranded.into_iter().map(place).collect()
}
