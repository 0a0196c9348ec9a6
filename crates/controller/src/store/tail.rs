//! The log as it stands in memory: everything that is not purged, durable or on its way.
//!
//! Reading never goes to the disk. What it costs is bounded by the distance between snapshots.

use std::{
    collections::VecDeque,
    ops::{Bound, RangeBounds},
};

use crate::raft::{LogEntry, LogId, Vote};

/// The log from the first entry that is not purged, without a hole.
#[derive(Debug, Default)]
pub struct Tail {
    /// The last vote that is durable.
    pub vote: Option<Vote>,
    /// How far it is known to be committed.
    pub committed: Option<LogId>,
    /// The last purged entry.
    purged: Option<LogId>,
    /// Purged ones may still be at the front.
    entries: VecDeque<LogEntry>,
}

/// The entry does not follow the last one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} does not follow the log, which goes on at {expected}")]
pub struct Hole {
    index: u64,
    expected: u64,
}

impl Tail {
    /// A log as it was read from the disk.
    pub fn new(
        vote: Option<Vote>,
        committed: Option<LogId>,
        purged: Option<LogId>,
        entries: Vec<LogEntry>,
    ) -> Self {
        Self { vote, committed, purged, entries: entries.into() }
    }

    /// The last purged entry.
    pub fn purged(&self) -> Option<LogId> {
        self.purged
    }

    /// The last entry, or the last purged one when there is none.
    pub fn last(&self) -> Option<LogId> {
        self.entries.back().map(|entry| entry.log_id).or(self.purged)
    }

    /// Adds entries at the end.
    ///
    /// # Errors
    /// [`Hole`] when they do not follow; those before the hole were added.
    pub fn append(&mut self, entries: Vec<LogEntry>) -> Result<(), Hole> {
        for entry in entries {
            let (index, expected) = (entry.log_id.index, self.next());
            // An empty log may begin anywhere: a snapshot came before it.
            if index != expected && self.last().is_some() {
                return Err(Hole { index, expected });
            }
            self.entries.push_back(entry);
            // Faster than it grows.
            self.forget(4);
        }
        Ok(())
    }

    /// Drops every entry after this one.
    pub fn truncate(&mut self, after: Option<LogId>) {
        let keep = after.map_or(0, |id| id.index + 1);
        let kept = keep.saturating_sub(self.start());
        self.entries.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
    }

    /// Drops every entry up to this one.
    pub fn purge(&mut self, upto: LogId) {
        self.purged = self.purged.max(Some(upto));
        if self.entries.back().is_some_and(|last| last.log_id.index <= upto.index) {
            // What is appended next need not follow the last one.
            self.entries.clear();
        }
        self.forget(1);
    }

    /// Lets go of some entries that are purged. Of all at once, whoever appends would have to wait.
    fn forget(&mut self, most: usize) {
        let Some(upto) = self.purged else { return };
        for _ in 0..most {
            match self.entries.front() {
                Some(entry) if entry.log_id.index <= upto.index => drop(self.entries.pop_front()),
                Some(_) | None => return,
            }
        }
    }

    /// The entries in a range of indices, as far as they are here.
    pub fn get(&self, range: &impl RangeBounds<u64>) -> Vec<LogEntry> {
        let start = match range.start_bound() {
            Bound::Included(index) => *index,
            Bound::Excluded(index) => index + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(index) => index + 1,
            Bound::Excluded(index) => *index,
            Bound::Unbounded => u64::MAX,
        };
        let first = self.start();
        let kept = self.purged.map_or(0, |upto| upto.index + 1).max(first);
        let from = start.max(kept) - first;
        let to = (end.max(first) - first).min(self.entries.len() as u64);
        if from >= to {
            return Vec::new();
        }
        let (from, to) = (from as usize, to as usize);
        self.entries.range(from..to).cloned().collect()
    }

    fn start(&self) -> u64 {
        self.entries.front().map_or_else(|| self.next(), |entry| entry.log_id.index)
    }

    fn next(&self) -> u64 {
        self.last().map_or(0, |id| id.index + 1)
    }
}

#[cfg(test)]
mod tests {
    use openraft::EntryPayload;

    use super::*;
    use crate::store::codec::log_id;

    fn entries(range: std::ops::Range<u64>) -> Vec<LogEntry> {
        range.map(|index| LogEntry { log_id: log_id(1, 1, index), payload: EntryPayload::Blank }).collect()
    }

    fn indices(tail: &Tail, range: impl RangeBounds<u64>) -> Vec<u64> {
        tail.get(&range).iter().map(|entry| entry.log_id.index).collect()
    }

    #[test]
    fn ranges_give_what_is_there() {
        let mut tail = Tail::default();
        assert!(indices(&tail, ..).is_empty());
        tail.append(entries(0..5)).expect("it follows");
        tail.purge(log_id(1, 1, 1));
        assert_eq!(indices(&tail, ..), [2, 3, 4]);
        assert_eq!(indices(&tail, 0..3), [2]);
        assert_eq!(indices(&tail, 3..=9), [3, 4]);
        assert!(indices(&tail, 7..9).is_empty());
        assert!(indices(&tail, 0..1).is_empty());
    }

    #[test]
    fn purged_entries_are_gone_at_once_and_let_go_little_by_little() {
        let mut tail = Tail::default();
        tail.append(entries(0..100)).expect("it follows");
        tail.purge(log_id(1, 1, 79));
        assert!(tail.entries.len() > 80, "most are still held");
        assert_eq!(indices(&tail, 70..82), [80, 81]);
        assert_eq!(indices(&tail, ..).len(), 20);
        tail.append(entries(100..130)).expect("it follows");
        assert_eq!((tail.entries.len(), indices(&tail, 128..)), (50, vec![128, 129]));
        tail.purge(log_id(1, 1, 200));
        assert_eq!((tail.last(), tail.entries.len()), (Some(log_id(1, 1, 200)), 0));
        tail.append(entries(201..202)).expect("it follows what was purged");
        assert_eq!(indices(&tail, ..), [201]);
    }

    #[test]
    fn a_hole_is_refused() {
        let mut tail = Tail::default();
        tail.append(entries(0..2)).expect("it follows");
        assert_eq!(tail.append(entries(3..4)), Err(Hole { index: 3, expected: 2 }));
    }

    #[test]
    fn truncating_and_purging_move_the_ends() {
        let mut tail = Tail::default();
        tail.append(entries(0..6)).expect("it follows");
        tail.truncate(Some(log_id(1, 1, 3)));
        assert_eq!(tail.last(), Some(log_id(1, 1, 3)));
        tail.purge(log_id(1, 1, 3));
        assert_eq!((tail.last(), tail.purged()), (Some(log_id(1, 1, 3)), Some(log_id(1, 1, 3))));
        assert!(indices(&tail, ..).is_empty());
        tail.append(entries(4..6)).expect("it follows");
        tail.truncate(None);
        assert_eq!(tail.last(), Some(log_id(1, 1, 3)), "what was purged stays purged");
    }
}
