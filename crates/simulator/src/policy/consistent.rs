//! Consistent hashing: a database is on the first server behind its place on the ring that takes databases.

use super::{Move, Policy, View, difference, ring::Ring};

#[derive(Default)]
pub(super) struct Consistent {
    ring: Ring,
}

impl Consistent {
    fn owners(&self, view: &View<'_>) -> Vec<u32> {
        let owner = |database| self.ring.from(database).find(|server| view.takes(*server as usize));
        (0..view.levels.len()).map(|database| owner(database).unwrap_or(0)).collect()
    }
}

impl Policy for Consistent {
    fn begin(&mut self, view: &View<'_>) -> Vec<u32> {
        self.ring = Ring::new(view.fleet);
        self.owners(view)
    }

    fn decide(&mut self, view: &View<'_>) -> Vec<Move> {
        if view.changed { difference(view.owners, &self.owners(view)) } else { Vec::new() }
    }
}
