//! Facts that wait to be recorded as events: bounded, and a batch at a time, so that a flood of them never swamps the
//! log. What does not fit is counted, and the count is recorded.

use std::collections::VecDeque;

use model::{FACTS_MAX, Fact, What};

use crate::limits::FACTS_WAITING_MAX;

/// Facts on their way into the map.
#[derive(Debug, Default)]
pub struct Facts {
    waiting: VecDeque<Fact>,
    lost: u64,
    recording: bool,
}

impl Facts {
    /// Something was found out.
    pub fn note(&mut self, fact: Fact) {
        if self.waiting.len() < FACTS_WAITING_MAX {
            self.waiting.push_back(fact);
        } else {
            self.lost += 1;
        }
    }

    /// The next batch to record, unless one is on its way.
    pub fn begin(&mut self) -> Option<Vec<Fact>> {
        if self.recording || (self.waiting.is_empty() && self.lost == 0) {
            return None;
        }
        let lost = std::mem::take(&mut self.lost);
        let missing = (lost > 0).then(|| Fact::new(What::FactsLost).evidence(format!("{lost} of them")));
        let count = self.waiting.len().min(FACTS_MAX - usize::from(missing.is_some()));
        self.recording = true;
        Some(self.waiting.drain(..count).chain(missing).collect())
    }

    /// Whether nothing waits, and nothing is on its way.
    pub fn is_done(&self) -> bool {
        !self.recording && self.waiting.is_empty() && self.lost == 0
    }

    /// The batch was recorded, or so many facts were lost.
    pub fn ended(&mut self, lost: usize) {
        self.recording = false;
        self.lost += lost as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact() -> Fact {
        Fact::new(What::LoadFinished)
    }

    #[test]
    fn facts_are_recorded_in_order_a_batch_at_a_time() {
        let mut facts = Facts::default();
        assert_eq!(facts.begin(), None);
        (0..FACTS_MAX + 1).for_each(|number| facts.note(fact().evidence(number.to_string())));
        let first = facts.begin().expect("some wait");
        assert_eq!((first.len(), &*first[0].evidence), (FACTS_MAX, "0"));
        assert_eq!(facts.begin(), None, "one batch is on its way");
        facts.ended(0);
        assert_eq!(facts.begin().map(|batch| batch.len()), Some(1));
        assert!(!facts.is_done(), "the last batch is on its way");
        facts.ended(0);
        assert_eq!(facts.begin(), None);
        assert!(facts.is_done());
    }

    #[test]
    fn a_flood_is_cut_and_what_is_lost_is_counted() {
        let mut facts = Facts::default();
        (0..FACTS_WAITING_MAX + 7).for_each(|_| facts.note(fact()));
        let first = facts.begin().expect("some wait");
        let last = first.last().expect("a full batch");
        assert_eq!((first.len(), last.what, &*last.evidence), (FACTS_MAX, What::FactsLost, "7 of them"));
        facts.ended(first.len());
        let second = facts.begin().expect("some wait");
        assert_eq!(&*second.last().expect("a full batch").evidence, format!("{FACTS_MAX} of them"));
    }
}
