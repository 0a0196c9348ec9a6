//! What happens, as it happens.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use history::{Edn, Event, History, Kind, Process};
use serde::{Deserialize, Serialize};

/// A fault as it was made, or was not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Installed {
    /// `fault:target`.
    pub fault: String,
    /// Whom it hit, or why nobody.
    pub what: String,
    /// Whether it was made; a fault that this machine cannot make is not.
    pub made: bool,
    /// Milliseconds since clients began.
    pub from_ms: u64,
    /// When it was taken back.
    pub to_ms: u64,
}

/// What a fault cost one workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outage {
    /// The workload.
    pub workload: String,
    /// What was asked for while it lasted and until the next fault.
    pub asked: u64,
    /// Of those, what surely had no effect.
    pub failed: u64,
    /// Of those, what nobody knows of.
    pub unknown: u64,
    /// The longest time in which one of its databases answered nothing with success, in milliseconds.
    pub longest_ms: u64,
}

/// The history of one workload while it is made.
pub struct Record {
    began: Instant,
    history: Mutex<History>,
}

impl Record {
    /// An empty one, whose time begins at this moment.
    pub fn new(began: Instant) -> Self {
        Self { began, history: Mutex::default() }
    }

    /// A client asks for something.
    pub fn invoke(&self, process: i64, f: &str, value: Edn) {
        self.add(Kind::Invoke, Process::Client(process), f, value, Vec::new());
    }

    /// What became of it.
    pub fn complete(&self, kind: Kind, process: i64, f: &str, value: Edn, extra: Vec<(String, Edn)>) {
        self.add(kind, Process::Client(process), f, value, extra);
    }

    /// The nemesis does something.
    pub fn nemesis(&self, f: &str, value: &str) {
        self.add(Kind::Info, Process::Nemesis, f, Edn::Text(value.into()), Vec::new());
    }

    fn add(&self, kind: Kind, process: Process, f: &str, value: Edn, extra: Vec<(String, Edn)>) {
        let mut history = self.history();
        // Under the lock, so that times rise with places.
        let time = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        history.events.push(Event { kind, process, time, f: f.into(), value, extra });
    }

    /// All of it so far.
    pub fn taken(&self) -> History {
        self.history().clone()
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
