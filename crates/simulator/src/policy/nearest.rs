//! The nearest location, and the less loaded of two servers in it; a database stays there.

use super::{Move, Policy, View, two_choices};
use crate::{
    random::Random,
    world::clients::{LOCATIONS, round_trips},
};

pub(super) struct Nearest {
    random: Random,
}

impl Nearest {
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed, 21) }
    }
}

impl Policy for Nearest {
    fn begin(&mut self, view: &View<'_>) -> Vec<u32> {
        let by_location: Vec<Vec<usize>> =
            (0..LOCATIONS).map(|location| servers_in(view, location)).collect();
        let mut loads = vec![0.0; view.states.len()];
        let all = 0..view.levels.len();
        let place = |database: usize| {
            let among = &by_location[nearest(view, database)];
            two_choices::choose(view, database, among, &mut loads, &mut self.random)
        };
        all.map(place).collect()
    }

    fn decide(&mut self, view: &View<'_>) -> Vec<Move> {
        two_choices::place_stranded(view, &mut self.random, |database| {
            let near = servers_in(view, nearest(view, database));
            if near.is_empty() { view.taking() } else { near }
        })
    }
}

fn servers_in(view: &View<'_>, location: usize) -> Vec<usize> {
    let mut taking = view.taking();
    taking.retain(|server| usize::from(view.fleet.servers[*server].location) == location);
    taking
}

fn nearest(view: &View<'_>, database: usize) -> usize {
    let trips = round_trips(view.shares(database));
    (0..LOCATIONS).min_by(|a, b| trips[*a].total_cmp(&trips[*b])).unwrap_or(0)
}
