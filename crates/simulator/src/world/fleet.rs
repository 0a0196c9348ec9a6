//! The servers: how large, where, and which of them is killed or drained when.

use model::placement::State;

use super::clients::LOCATIONS;
use crate::random::Random;

/// A day in minutes.
pub const DAY: u32 = 1_440;

/// A server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Server {
    /// 1 or 2.
    pub capacity: f64,
    /// An index below [`LOCATIONS`].
    pub location: u8,
}

/// All servers.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// By index.
    pub servers: Vec<Server>,
    killed: usize,
    drained: usize,
}

impl Fleet {
    /// 36 of 100 servers are twice as large as the others. Each location has a quarter of both.
    pub(crate) fn new(servers: usize, random: &mut Random) -> Self {
        let large = servers * 36 / 100;
        let server = |index: usize| Server {
            capacity: if index < large { 2.0 } else { 1.0 },
            location: (index % LOCATIONS) as u8,
        };
        let killed = random.below(servers);
        let drained = (killed + 1 + random.below(servers - 1)) % servers;
        Self { servers: (0..servers).map(server).collect(), killed, drained }
    }

    /// What all of them can carry.
    pub fn capacity(&self) -> f64 {
        self.servers.iter().map(|server| server.capacity).sum()
    }

    /// How a server is in a minute: one is dead from 10:00 to 11:30 of each day, another drained from 15:00 to 16:00.
    pub fn state(&self, server: usize, minute: u32) -> State {
        let of_day = minute % DAY;
        if server == self.killed && (600..690).contains(&of_day) {
            State::Down
        } else if server == self.drained && (900..960).contains(&of_day) {
            State::Draining
        } else {
            State::Up
        }
    }
}
