//! Longest processing time first (Graham): all databases anew, the largest first, each to the server that it fills least.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Move, Policy, View, difference};

pub(super) struct Lpt {
    every: u32,
    foresees: bool,
}

impl Lpt {
    pub fn every_five_minutes() -> Self {
        Self { every: 5, foresees: false }
    }

    /// What nobody could do: every minute, by the truth of that minute.
    pub fn ideal() -> Self {
        Self { every: 1, foresees: true }
    }
}

impl Policy for Lpt {
    fn begin(&mut self, view: &View<'_>) -> Vec<u32> {
        owners(view)
    }

    fn decide(&mut self, view: &View<'_>) -> Vec<Move> {
        if view.changed || view.minute.is_multiple_of(self.every) {
            difference(view.owners, &owners(view))
        } else {
            Vec::new()
        }
    }

    fn foresees(&self) -> bool {
        self.foresees
    }
}

/// Servers of one capacity, the least loaded first.
struct Alike {
    capacity: f64,
    heap: BinaryHeap<Reverse<Loaded>>,
}

#[derive(Clone, Copy, PartialEq)]
struct Loaded {
    load: f64,
    server: u32,
}

impl Eq for Loaded {}

impl Ord for Loaded {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.load.total_cmp(&other.load).then(self.server.cmp(&other.server))
    }
}

impl PartialOrd for Loaded {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn owners(view: &View<'_>) -> Vec<u32> {
    let mut order: Vec<(Reverse<u32>, u32)> = Vec::with_capacity(view.levels.len());
    // Floats that are not negative sort like their bits.
    order.extend(
        view.levels.iter().enumerate().map(|(database, level)| (Reverse(level.to_bits()), database as u32)),
    );
    order.sort_unstable();
    let mut alike: Vec<Alike> = Vec::new();
    for server in view.taking() {
        let capacity = view.fleet.servers[server].capacity;
        let at = alike.iter().position(|alike| alike.capacity == capacity).unwrap_or_else(|| {
            alike.push(Alike { capacity, heap: BinaryHeap::new() });
            alike.len() - 1
        });
        alike[at].heap.push(Reverse(Loaded { load: 0.0, server: server as u32 }));
    }
    let mut owners = vec![0; order.len()];
    for (_, database) in order {
        let x = f64::from(view.levels[database as usize]);
        let after = |alike: &Alike| {
            alike.heap.peek().map_or(f64::INFINITY, |Reverse(least)| (least.load + x) / alike.capacity)
        };
        let best = alike.iter_mut().min_by(|a, b| after(a).total_cmp(&after(b)));
        if let Some(mut least) = best.and_then(|alike| alike.heap.peek_mut()) {
            least.0.load += x;
            owners[database as usize] = least.0.server;
        }
    }
    owners
}
