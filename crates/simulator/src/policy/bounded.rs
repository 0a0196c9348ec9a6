//! Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam): a server that carries more than 1.25 of its
//! share already is passed over. By measured load, in the order of the databases' numbers, every five minutes.

use super::{Move, Policy, View, difference, ring::Ring};

/// How much more than its share a server may carry.
const C: f64 = 1.25;

/// Minutes from one time to the next.
const EVERY: u32 = 5;

#[derive(Default)]
pub(super) struct Bounded {
    ring: Ring,
}

impl Bounded {
    fn owners(&self, view: &View<'_>) -> Vec<u32> {
        let total: f64 = view.levels.iter().map(|level| f64::from(*level)).sum();
        let most = C * total / view.capacity();
        let mut loads = vec![0.0; view.states.len()];
        let mut owners = Vec::with_capacity(view.levels.len());
        for (database, level) in view.levels.iter().enumerate() {
            let x = f64::from(*level);
            let after =
                |server: u32| (loads[server as usize] + x) / view.fleet.servers[server as usize].capacity;
            let mut takes = self.ring.from(database).filter(|server| view.takes(*server as usize));
            // What is too large for every bound goes where it fits best.
            let server = takes.find(|server| after(*server) <= most).unwrap_or_else(|| {
                let all = view.taking().into_iter().map(|server| server as u32);
                all.min_by(|a, b| after(*a).total_cmp(&after(*b))).unwrap_or(0)
            });
            loads[server as usize] += x;
            owners.push(server);
        }
        owners
    }
}

impl Policy for Bounded {
    fn begin(&mut self, view: &View<'_>) -> Vec<u32> {
        self.ring = Ring::new(view.fleet);
        self.owners(view)
    }

    fn decide(&mut self, view: &View<'_>) -> Vec<Move> {
        if view.changed || view.minute.is_multiple_of(EVERY) {
            difference(view.owners, &self.owners(view))
        } else {
            Vec::new()
        }
    }
}
