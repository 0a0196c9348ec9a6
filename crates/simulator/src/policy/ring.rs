//! A ring of virtual nodes, as consistent hashing uses it.

use crate::{
    random::mix,
    world::fleet::{Fleet, Server},
};

/// Virtual nodes for each unit of capacity.
const NODES: u32 = 128;

/// Points in the order of their hashes.
#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    points: Vec<(u64, u32)>,
}

impl Ring {
    pub fn new(fleet: &Fleet) -> Self {
        let mut points = Vec::new();
        for (server, Server { capacity, .. }) in fleet.servers.iter().enumerate() {
            let nodes = (capacity * f64::from(NODES)) as u32;
            points
                .extend((0..nodes).map(|node| (mix((server as u64) << 32 | u64::from(node)), server as u32)));
        }
        points.sort_unstable();
        Self { points }
    }

    /// The servers behind a database's place, point by point, once around.
    pub fn from(&self, database: usize) -> impl Iterator<Item = u32> + '_ {
        let hash = mix(!(database as u64));
        let (before, behind) = self.points.split_at(self.points.partition_point(|(point, _)| *point < hash));
        behind.iter().chain(before).map(|(_, server)| *server)
    }
}
