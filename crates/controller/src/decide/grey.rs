//! Servers that live but are slow: emptied rather than declared dead, and given work again once they are well.
//!
//! By what they measure of themselves, see [`Slowness`](super::Slowness). Rules:
//! - Only slowness that lasts counts, and only wellness that lasts for twice as long: nobody flaps.
//! - Never when more servers are slow than well: then it is something that they share, and emptying them helps nobody.
//! - One at a time, and with a pause after it: a wrong judgement costs little.
//! - Who was told to drain by an operator is the operator's.

use std::{collections::BTreeMap, time::Duration};

use model::Tenure;
use tokio::time::Instant;

use crate::limits::{GREY_PAUSE_TIMES, GREY_WELL_TIMES};

/// How a server is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// As any other.
    Up,
    /// It is being emptied, or empty, because it was slow.
    Emptied,
    /// An operator has it drained.
    Drained,
}

/// A server that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patient {
    /// Which, in which life.
    pub tenure: Tenure,
    /// How it is used.
    pub care: Care,
    /// Whether it is slow; `None` when it has not said lately.
    pub slow: Option<bool>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Empty this server.
    Empty(Tenure),
    /// This one is well again.
    Restore(Tenure),
}

/// Watches how servers feel for one leader's reign.
#[derive(Clone, Debug)]
pub struct Grey {
    /// How long a server must be slow. Zero: nobody is ever emptied.
    after: Duration,
    /// Since when each is slow, or well.
    moods: BTreeMap<Tenure, (bool, Instant)>,
    /// When the last one was emptied.
    emptied: Option<Instant>,
}

impl Grey {
    /// Nothing is known yet.
    pub fn new(after: Duration) -> Self {
        Self { after, moods: BTreeMap::new(), emptied: None }
    }

    /// Time goes on. To be called with all servers that live, several times within the time it takes.
    pub fn tick(&mut self, patients: &[Patient], now: Instant) -> Option<Treatment> {
        self.feel(patients, now);
        if self.after.is_zero() {
            return None;
        }
        self.restore(patients, now).or_else(|| self.empty(patients, now))
    }

    /// The last one was not emptied after all.
    pub fn not_done(&mut self) {
        self.emptied = None;
    }

    fn feel(&mut self, patients: &[Patient], now: Instant) {
        self.moods.retain(|tenure, _| patients.iter().any(|patient| patient.tenure == *tenure));
        for patient in patients {
            match (patient.slow, self.moods.get(&patient.tenure)) {
                // Who says nothing is watched by others; what was before it does not count any more.
                (None, _) => drop(self.moods.remove(&patient.tenure)),
                (Some(slow), Some((before, _))) if slow == *before => {}
                (Some(slow), _) => drop(self.moods.insert(patient.tenure, (slow, now))),
            }
        }
    }

    /// Whether a server has been slow, or well, for so long.
    fn lasts(&self, tenure: Tenure, slow: bool, time: Duration, now: Instant) -> bool {
        self.moods
            .get(&tenure)
            .is_some_and(|(mood, since)| *mood == slow && now.saturating_duration_since(*since) >= time)
    }

    fn restore(&self, patients: &[Patient], now: Instant) -> Option<Treatment> {
        let well = |patient: &&Patient| {
            patient.care == Care::Emptied
                && self.lasts(patient.tenure, false, self.after * GREY_WELL_TIMES, now)
        };
        patients.iter().find(well).map(|patient| Treatment::Restore(patient.tenure))
    }

    fn empty(&mut self, patients: &[Patient], now: Instant) -> Option<Treatment> {
        let rests = |at: Instant| now.saturating_duration_since(at) < self.after * GREY_PAUSE_TIMES;
        if patients.iter().any(|patient| patient.care == Care::Emptied) || self.emptied.is_some_and(rests) {
            return None;
        }
        let up = || patients.iter().filter(|patient| patient.care == Care::Up);
        let count = |slow: bool| up().filter(|patient| patient.slow == Some(slow)).count();
        if count(true) > count(false) {
            return None;
        }
        let chosen = up().find(|patient| self.lasts(patient.tenure, true, self.after, now))?.tenure;
        self.emptied = Some(now);
        Some(Treatment::Empty(chosen))
    }
}

#[cfg(test)]
mod tests;
