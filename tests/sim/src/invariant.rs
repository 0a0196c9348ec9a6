//! What must hold, whatever happens: one file for each. Most are judged by the checkers of `history`, from what was seen.

mod look_ups;
mod maps;
mod owners;
mod registers;
mod tokens;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use history::Finding;
use model::Name;

use crate::record::Record;

/// What is seen in a run. Cheap to clone.
#[derive(Clone)]
pub struct Records {
    /// Under which epoch which server answered handlers.
    pub answers: Arc<Record>,
    /// Rows that clients read and wrote.
    pub registers: Arc<Record>,
    /// Rows that clients added.
    pub tokens: Arc<Record>,
    /// Owners that controllers told.
    pub look_ups: Arc<Record>,
    /// Fingerprints of the controllers' maps.
    pub maps: Arc<Record>,
    /// Who was last seen to own what: for faults that are to hit an owner.
    owners: Arc<Mutex<BTreeMap<String, String>>>,
    /// The controller that last said that it leads, for the same purpose; 0 before.
    leader: Arc<AtomicU64>,
}

impl Records {
    /// Empty ones.
    pub fn empty() -> Self {
        let record = |name| Arc::new(Record::new(name));
        Self {
            answers: record("answers"),
            registers: record("registers"),
            tokens: record("tokens"),
            look_ups: record("look-ups"),
            maps: record("maps"),
            owners: Arc::default(),
            leader: Arc::default(),
        }
    }

    /// A look-up showed an owner.
    pub fn owned(&self, database: &Name, server: &Name) {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.insert(database.to_string(), server.to_string());
    }

    /// The owner that was last seen.
    pub fn owner(&self, database: &str) -> Option<String> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(database).cloned()
    }

    /// A controller said that it leads.
    pub fn leads(&self, controller: u64) {
        self.leader.store(controller, Ordering::Relaxed);
    }

    /// The last one that did.
    pub fn leader(&self) -> u64 {
        self.leader.load(Ordering::Relaxed)
    }

    /// Judges all of it, each invariant by its name.
    pub fn judge(&self) -> Vec<(&'static str, Finding)> {
        vec![
            ("owners", owners::check(&self.answers.taken())),
            ("registers", registers::check(&self.registers.taken())),
            ("tokens", tokens::check(&self.tokens.taken())),
            ("look-ups", look_ups::check(&self.look_ups.taken())),
            ("maps", maps::check(&self.maps.taken())),
        ]
    }
}
