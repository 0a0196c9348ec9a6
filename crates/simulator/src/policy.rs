//! What decides where databases are: ours, what it is compared with, and what nobody could do.

mod bounded;
mod consistent;
mod greedy;
mod lpt;
mod nearest;
mod ring;
pub(crate) mod stationmaster;
mod two_choices;

use model::placement::State;

use crate::world::{
    clients::{Clients, Shares},
    fleet::Fleet,
};

/// What a policy sees at the end of a minute. Nothing of it is the truth but what could be known.
pub struct View<'a> {
    /// The minute, counted from the beginning.
    pub minute: u32,
    /// The servers.
    pub fleet: &'a Fleet,
    /// How each is.
    pub states: &'a [State],
    /// Whether one of them was otherwise a minute ago.
    pub changed: bool,
    /// Where clients are, as counted.
    pub clients: &'a Clients,
    /// What databases need, as measured; for what nobody could do, as it is.
    pub levels: &'a [f32],
    /// Where databases are: the index of a server for each. Nothing yet at the beginning.
    pub owners: &'a [u32],
}

/// A database goes to a server; both by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Which.
    pub database: u32,
    /// Where to.
    pub to: u32,
}

/// Decides.
pub trait Policy {
    /// Where databases are at first. All servers are up.
    fn begin(&mut self, view: &View<'_>) -> Vec<u32>;

    /// What to move now. It takes effect with the next minute. What is on a dead server serves nobody meanwhile.
    fn decide(&mut self, view: &View<'_>) -> Vec<Move>;

    /// Whether it is told the truth of the minute that its moves take effect in, which nobody could know.
    fn foresees(&self) -> bool {
        false
    }
}

/// All policies, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Consistent hashing.
    Consistent,
    /// Consistent hashing with bounded loads.
    Bounded,
    /// The better of two servers, once.
    TwoChoices,
    /// The better of two servers in the nearest location, once.
    Nearest,
    /// From the hottest to the coolest server.
    Greedy,
    /// Everything anew, every five minutes.
    Lpt,
    /// `model::placement`, as the controllers use it.
    Stationmaster,
    /// The same without regard to clients' distance.
    Loadonly,
    /// The same with ceilings and bands that do not float.
    Fixed,
    /// The same without the rule that nothing goes back to where it came from.
    Returning,
    /// The same without dead band and cool-down.
    Restless,
    /// A bound: everything anew every minute, by the truth of that minute.
    Ideal,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Consistent,
        Self::Bounded,
        Self::TwoChoices,
        Self::Nearest,
        Self::Greedy,
        Self::Lpt,
        Self::Stationmaster,
        Self::Loadonly,
        Self::Fixed,
        Self::Returning,
        Self::Restless,
        Self::Ideal,
    ];

    /// Those that are compared when nothing is said: no variants of ours.
    pub const USUAL: [Self; 8] = [
        Self::Consistent,
        Self::Bounded,
        Self::TwoChoices,
        Self::Nearest,
        Self::Greedy,
        Self::Lpt,
        Self::Stationmaster,
        Self::Ideal,
    ];

    /// Its name on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Consistent => "consistent-hashing",
            Self::Bounded => "bounded-loads",
            Self::TwoChoices => "two-choices",
            Self::Nearest => "nearest",
            Self::Greedy => "greedy",
            Self::Lpt => "lpt",
            Self::Stationmaster => "stationmaster",
            Self::Loadonly => "stationmaster-load-only",
            Self::Fixed => "stationmaster-fixed-ceilings",
            Self::Returning => "stationmaster-returning",
            Self::Restless => "stationmaster-restless",
            Self::Ideal => "ideal-lpt",
        }
    }

    /// What it does, in a few words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Consistent => "consistent hashing, 128 virtual nodes for each unit of capacity",
            Self::Bounded => "consistent hashing with bounded loads, c = 1.25, by measured load every 5 min",
            Self::TwoChoices => "power of two choices, static",
            Self::Nearest => "nearest location, then two choices, static",
            Self::Greedy => "hottest to coolest, above 1.05 of the mean, 20 moves a minute",
            Self::Lpt => "everything anew, largest first, every 5 min",
            Self::Stationmaster => "the controllers' policy",
            Self::Loadonly => "the same with rtt_weight = 0",
            Self::Fixed => "the same with float_limits and adapt_band off",
            Self::Returning => "the same with no_return = 0",
            Self::Restless => "the same without dead band and cool-down",
            Self::Ideal => "bound: everything anew every minute, by the true load of that minute",
        }
    }

    /// Makes one.
    pub fn policy(self, seed: u64, settings: &model::placement::Settings) -> Box<dyn Policy> {
        match self {
            Self::Consistent => Box::new(consistent::Consistent::default()),
            Self::Bounded => Box::new(bounded::Bounded::default()),
            Self::TwoChoices => Box::new(two_choices::TwoChoices::new(seed)),
            Self::Nearest => Box::new(nearest::Nearest::new(seed)),
            Self::Greedy => Box::new(greedy::Greedy::new(seed)),
            Self::Lpt => Box::new(lpt::Lpt::every_five_minutes()),
            Self::Ideal => Box::new(lpt::Lpt::ideal()),
            Self::Stationmaster | Self::Loadonly | Self::Fixed | Self::Returning | Self::Restless => {
                Box::new(stationmaster::Stationmaster::new(stationmaster::settings(self, settings)))
            }
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("no policy {text}: there are {}", names.join(", "))
        })
    }
}

impl View<'_> {
    /// Whether a server takes databases.
    pub fn takes(&self, server: usize) -> bool {
        self.states[server] == State::Up
    }

    /// All that do.
    pub fn taking(&self) -> Vec<usize> {
        (0..self.states.len()).filter(|server| self.takes(*server)).collect()
    }

    /// What every server carries.
    pub fn server_loads(&self) -> Vec<f64> {
        let mut loads = vec![0.0; self.states.len()];
        for (owner, level) in self.owners.iter().zip(self.levels) {
            loads[*owner as usize] += f64::from(*level);
        }
        loads
    }

    /// Databases on servers that do not take any: they have to go. Biggest first.
    pub fn stranded(&self) -> Vec<u32> {
        if self.states.iter().all(|state| *state == State::Up) {
            return Vec::new();
        }
        let databases = 0..self.owners.len() as u32;
        let stranded = databases.filter(|database| !self.takes(self.owners[*database as usize] as usize));
        let mut stranded: Vec<u32> = stranded.collect();
        stranded.sort_by(|a, b| self.levels[*b as usize].total_cmp(&self.levels[*a as usize]));
        stranded
    }

    /// How much all servers that take databases can carry.
    pub fn capacity(&self) -> f64 {
        self.taking().into_iter().map(|server| self.fleet.servers[server].capacity).sum()
    }

    /// The counted clients of a database.
    pub fn shares(&self, database: usize) -> &Shares {
        &self.clients.counted()[usize::from(self.clients.class[database])]
    }
}

/// What is to be moved to get from one assignment to another.
fn difference(from: &[u32], to: &[u32]) -> Vec<Move> {
    let pairs = from.iter().zip(to).enumerate();
    let changed = pairs.filter(|(_, (from, to))| from != to);
    changed.map(|(database, (_, to))| Move { database: database as u32, to: *to }).collect()
}
