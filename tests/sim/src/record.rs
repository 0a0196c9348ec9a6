//! What clients and eyes saw, in the order in which it happened, as the checkers of `history` read it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use history::{Edn, Event, History, Kind, Process};

use crate::{time, trace};

/// One history while it is made.
#[derive(Debug, Default)]
pub struct Record {
    name: &'static str,
    history: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    history: History,
    begun: i64,
}

impl Record {
    /// An empty one.
    pub fn new(name: &'static str) -> Self {
        Self { name, history: Mutex::default() }
    }

    /// Somebody asks for something; its number. Each counts as a client of its own, as nobody waits for another here.
    pub fn begin(&self, f: &str, value: Edn) -> i64 {
        let number = {
            let mut state = self.state();
            state.begun += 1;
            state.begun
        };
        self.add(Kind::Invoke, number, f, value);
        number
    }

    /// What became of it.
    pub fn end(&self, kind: Kind, number: i64, f: &str, value: Edn) {
        self.add(kind, number, f, value);
    }

    /// All of it so far.
    pub fn taken(&self) -> History {
        self.state().history.clone()
    }

    fn add(&self, kind: Kind, number: i64, f: &str, value: Edn) {
        trace::note(format_args!("{} {number} {kind:?} {f} {value}", self.name));
        let (process, time) = (Process::Client(number), time::now() * 1_000_000);
        let event = Event { kind, process, time, f: f.into(), value, extra: Vec::new() };
        self.state().history.events.push(event);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
