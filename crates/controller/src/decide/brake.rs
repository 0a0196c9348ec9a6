//! The brake against mass expiry: when many servers fall silent at once, the fault is probably ours, not theirs.
//!
//! A leader that hears nobody would otherwise take every database from servers that serve them well, and load them all
//! on the few that are left. Rules:
//! - What counts is silence: servers that sent no heartbeat for about a lease, and those that were declared dead for
//!   that within the window. When they are two at least and more than the share allowed, nobody is declared dead for
//!   silence any more.
//! - Proof of death passes the brake for that one server: it never comes here.
//! - The brake lets go by itself when enough servers are heard of again, or the window has passed, and that has been so
//!   for a lease: whatever kept many from us does not end for all of them in the same moment.
//! - An operator's word lets those go that are silent at that moment.
//!
//! A new leader begins with the brake off and finds the silence out again, after a lease.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{ServerId, Tenure};
use tokio::time::Instant;

/// Fewer silent servers than this never engage the brake: one server that dies is no mass.
pub const BRAKE_SERVERS_MIN: usize = 2;

/// How a server that is up in the map was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Lately.
    None,
    /// Its lease is about to lapse: all servers that fell silent at the same moment are in here together.
    Long,
    /// Its lease has lapsed.
    Lapsed,
}

/// Why the brake is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engaged {
    /// Since when.
    pub since: Instant,
    /// How many servers are silent, or were declared dead for it within the window.
    pub silent: usize,
    /// Of how many.
    pub of: usize,
}

/// What a tick says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Lives to be declared over.
    pub expire: Vec<Tenure>,
    /// The brake changed.
    pub turn: Option<Turn>,
}

/// The brake changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is on from now on.
    Engaged,
    /// It is off again, after so long.
    Released(Duration),
}

/// The brake of one leader's reign.
#[derive(Clone, Debug)]
pub struct Brake {
    /// Percent of the servers; more than that engages it.
    share: u64,
    window: Duration,
    /// How long it must not have been needed before it lets go.
    patience: Duration,
    /// Servers declared dead for their silence, and when.
    expired: BTreeMap<ServerId, Instant>,
    /// Lives of which an operator said that they may be declared over.
    waived: BTreeSet<Tenure>,
    /// Lives that are held back now.
    held: BTreeSet<Tenure>,
    /// Lives that are silent while the brake is on, those with a lease that has not lapsed included.
    silent: BTreeSet<Tenure>,
    engaged: Option<Engaged>,
    /// Since when it has not been needed any more.
    calm: Option<Instant>,
}

impl Brake {
    /// Off. A share of 100 percent never engages.
    pub fn new(share_percent: u64, window: Duration, patience: Duration) -> Self {
        Self {
            share: share_percent,
            window,
            patience,
            expired: BTreeMap::new(),
            waived: BTreeSet::new(),
            held: BTreeSet::new(),
            silent: BTreeSet::new(),
            engaged: None,
            calm: None,
        }
    }

    /// Whether it is on, and why.
    pub fn engaged(&self) -> Option<Engaged> {
        self.engaged
    }

    /// Whether this life would be over but for the brake.
    pub fn holds(&self, tenure: Tenure) -> bool {
        self.held.contains(&tenure)
    }

    /// An operator says that the silent ones are dead. How many that are.
    pub fn release(&mut self) -> usize {
        self.held.clear();
        let silent = std::mem::take(&mut self.silent);
        let count = silent.len();
        self.waived.extend(silent);
        count
    }

    /// Time goes on: how all servers that are up stand now.
    pub fn tick(&mut self, up: &[(Tenure, Silence)], now: Instant) -> Verdict {
        let window = self.window;
        let is_up = |server: &ServerId| up.iter().any(|(tenure, _)| tenure.server == *server);
        // One that is up again counts by how it is now.
        self.expired.retain(|server, at| now.saturating_duration_since(*at) < window && !is_up(server));
        self.waived.retain(|waived| up.iter().any(|(tenure, how)| tenure == waived && *how != Silence::None));
        let waived = self.waived.clone();
        let counted = up.iter().filter(|(tenure, _)| !waived.contains(tenure));
        let silent = counted.clone().filter(|(_, how)| *how != Silence::None).count() + self.expired.len();
        let of = counted.clone().count() + self.expired.len();
        let lapsed = |tenures: &mut dyn Iterator<Item = &(Tenure, Silence)>| -> Vec<Tenure> {
            tenures.filter(|(_, how)| *how == Silence::Lapsed).map(|(tenure, _)| *tenure).collect()
        };
        let over = lapsed(&mut counted.clone());
        let mut expire = lapsed(&mut up.iter().filter(|(tenure, _)| waived.contains(tenure)));
        let many = self.too_many(silent, of);
        self.calm = if many { None } else { self.calm.or(Some(now)) };
        if many || (silent > 0 && self.lingers(now)) {
            let turn = self.engage(&over, silent, of, now);
            let silent = counted.filter(|(_, how)| *how != Silence::None && self.engaged.is_some());
            self.silent = silent.map(|(tenure, _)| *tenure).collect();
            self.held = over.into_iter().collect();
            return Verdict { expire, turn };
        }
        self.held.clear();
        self.silent.clear();
        self.expired.extend(over.iter().map(|tenure| (tenure.server, now)));
        expire.extend(over);
        let turn = self.engaged.take().map(|on| Turn::Released(now.saturating_duration_since(on.since)));
        Verdict { expire, turn }
    }

    fn too_many(&self, silent: usize, of: usize) -> bool {
        silent >= BRAKE_SERVERS_MIN && silent as u64 * 100 > of as u64 * self.share
    }

    /// Whether it is on and has not been without need for long enough.
    fn lingers(&self, now: Instant) -> bool {
        let calm = self.calm.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.engaged.is_some() && calm < self.patience
    }

    /// Only when there is somebody to hold back; then it stays on until few enough are silent.
    fn engage(&mut self, over: &[Tenure], silent: usize, of: usize, now: Instant) -> Option<Turn> {
        match &mut self.engaged {
            Some(engaged) => {
                (engaged.silent, engaged.of) = (silent, of);
                None
            }
            None if over.is_empty() => None,
            None => {
                self.engaged = Some(Engaged { since: now, silent, of });
                Some(Turn::Engaged)
            }
        }
    }
}

#[cfg(test)]
mod tests;
