//! A client's state for people: what `driver.status()` shows (R66).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Moment;

use super::Receiver;

/// What is in force, and what happened so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// By slot.
    pub in_force: Vec<InForce>,
    /// The versions of data sources that can be gone back to, by name.
    pub sources: BTreeMap<String, Vec<u64>>,
    /// Everything that came.
    pub received: u64,
    /// What was obeyed.
    pub applied: u64,
    /// What had been obeyed before.
    pub repeated: u64,
    /// What was over when it came, or has ended since.
    pub expired: u64,
    /// What was refused, by code.
    pub refused: BTreeMap<&'static str, u64>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InForce {
    /// The slot.
    pub slot: String,
    /// What fills it.
    pub id: String,
    /// Why; may be empty.
    pub reason: String,
    /// Its order.
    pub epoch: u64,
    /// Its order.
    pub sequence: u64,
    /// How long still, in milliseconds.
    pub left_ms: u64,
}

impl Receiver {
    /// The present state.
    pub fn status(&self, now: Moment) -> Status {
        let in_force = self.slots.iter(now).map(|(slot, order, held)| InForce {
            slot: slot.to_string(),
            id: held.id.clone(),
            reason: held.reason.clone(),
            epoch: order.epoch,
            sequence: order.sequence,
            left_ms: held.until.ms_from(now),
        });
        let counts = &self.counts;
        Status {
            in_force: in_force.collect(),
            sources: self.sources.all(),
            received: counts.received,
            applied: counts.applied,
            repeated: counts.repeated,
            expired: counts.expired,
            refused: counts.refused.iter().map(|(why, count)| (why.code(), *count)).collect(),
        }
    }
}
