//! A condition that somebody said is so, until they say otherwise or the time that they gave is over.

use std::{collections::BTreeMap, time::Instant};

use crate::limits::DECLARED_MAX;

/// What was declared.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// Since when.
    pub since: Instant,
    /// In words.
    pub evidence: String,
    /// Who says so, each until when.
    said: BTreeMap<String, Instant>,
}

impl Declared {
    pub fn new(evidence: String, now: Instant) -> Self {
        Self { since: now, evidence, said: BTreeMap::new() }
    }

    /// Somebody says so, once or again.
    pub fn say(&mut self, by: String, evidence: String, until: Instant) {
        self.evidence = evidence;
        if self.said.len() < DECLARED_MAX || self.said.contains_key(&by) {
            self.said.insert(by, until);
        }
    }

    /// Somebody no longer says so; whether nobody does.
    pub fn end(&mut self, by: &str) -> bool {
        self.said.remove(by);
        self.said.is_empty()
    }

    /// Forgets those whose time is over; whether nobody is left.
    pub fn expire(&mut self, now: Instant) -> bool {
        self.said.retain(|_, until| *until > now);
        self.said.is_empty()
    }
}
