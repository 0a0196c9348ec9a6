//! The ids that were obeyed, and how they were acknowledged, so that a repetition does nothing.

use std::collections::{BTreeMap, VecDeque};

use crate::Outcome;

/// Most ids that are remembered.
pub const KNOWN_MAX: usize = 1_024;

/// Ids in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Known {
    outcomes: BTreeMap<String, Outcome>,
    order: VecDeque<String>,
}

impl Known {
    pub fn outcome(&self, id: &str) -> Option<&Outcome> {
        self.outcomes.get(id)
    }

    /// Remembers an id, in place of the oldest one when there is no room.
    pub fn remember(&mut self, id: &str, outcome: Outcome) {
        if self.outcomes.insert(id.to_owned(), outcome).is_none() {
            self.order.push_back(id.to_owned());
        }
        if self.order.len() > KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.outcomes.remove(&oldest);
        }
    }
}
