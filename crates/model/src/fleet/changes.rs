//! What changed since a revision, for those who watch.
//!
//! Level-triggered: a change names what to look at again, never what it looked like then. A server's expiry is one
//! change, however many databases it owned.

use serde::{Deserialize, Serialize};

use super::Fleet;
use crate::{DatabaseId, HandlerId, Name, Revision, ServerId, limits::CHANGES_MAX};

/// What to look at again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A database was made, renamed, assigned, unassigned or dropped.
    Database(DatabaseId),
    /// A server came, or its life ended.
    Server(ServerId),
    /// A handler came.
    Handler(HandlerId),
    /// A user was made, changed or dropped.
    User(Name),
    /// A directive was sent, changed or ended.
    Directives,
}

/// The answer to [`Fleet::changes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes<'a> {
    /// Everything since, oldest first, each with its revision.
    Since(Vec<&'a (Revision, Change)>),
    /// Too long ago (or never): forget everything and start anew.
    Reset,
}

impl Fleet {
    /// What changed after `since`, up to `limit` changes.
    pub fn changes(&self, since: Revision, limit: usize) -> Changes<'_> {
        if since < self.recent_since || since > self.revision {
            return Changes::Reset;
        }
        // One entry makes at most one change, so cutting anywhere never splits a revision.
        let start = match self.recent.binary_search_by(|(revision, _)| revision.cmp(&since)) {
            Ok(at) => at + 1,
            Err(at) => at,
        };
        Changes::Since(self.recent.focus().narrow(start..).into_iter().take(limit).collect())
    }

    pub(super) fn note(&mut self, change: Change) {
        if self.recent.len() == CHANGES_MAX {
            let (revision, _) = self.recent.pop_front().expect("BUG: CHANGES_MAX is not zero");
            self.recent_since = revision;
        }
        self.recent.push_back((self.revision, change));
    }
}
