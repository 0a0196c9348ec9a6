//! Whether this controller may vote: one whose disk is new may have been a member that lost it.
//!
//! Such a controller is *joining*. What it voted and acknowledged before it does not know any more, so that a majority
//! with it proves nothing: counted in, it could elect a leader without entries that had been acknowledged. Until it is
//! admitted it gives no vote, and takes entries only from a leader that does not count on them:
//!
//! - one whose list of controllers names it as a learner; and after that
//! - one whose list names it as a voter again, if that list is newer: the older one was committed without its help, and
//!   with it everything that it may have forgotten.
//!
//! It is admitted once it has all that such a leader has committed. The founders of a fleet are admitted before there
//! is anything to forget (`formation`). Leaders make a voter that is joining a learner (`node::members`).

use std::sync::{Arc, Mutex};

use openraft::raft::AppendEntriesResponse;
use tokio::sync::watch;

use super::{LogId, TypeConfig};
use crate::store::{Disk, StoreError};

/// This controller's own.
pub struct Admission {
    disk: Arc<dyn Disk>,
    joining: watch::Sender<bool>,
    told: Mutex<Told>,
}

/// How a leader's list of controllers names the one that it writes to, and the entry that holds the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Sent everything, counted for nothing.
    Learner(LogId),
    /// Counted.
    Voter(LogId),
}

/// What was learned of this controller's standing since it started.
#[derive(Debug, Default)]
struct Told {
    /// The newest list that names it as a learner.
    learner: Option<LogId>,
}

impl Told {
    /// Whether a joining controller takes entries from a leader with this list.
    fn takes(&mut self, standing: Option<Standing>) -> bool {
        match standing {
            Some(Standing::Learner(list)) => {
                self.learner = self.learner.max(Some(list));
                true
            }
            Some(Standing::Voter(list)) => self.learner.is_some_and(|learner| learner < list),
            None => false,
        }
    }
}

impl Admission {
    /// As the disk says.
    pub async fn of(disk: Arc<dyn Disk>) -> Self {
        let joining = watch::Sender::new(disk.is_joining().await);
        Self { disk, joining, told: Mutex::default() }
    }

    /// Whether it is not admitted yet.
    pub fn is_joining(&self) -> bool {
        *self.joining.borrow()
    }

    /// Tells of the admission.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.joining.subscribe()
    }

    /// Whether entries or a snapshot may be taken from a leader in whose list it stands like this.
    pub fn takes(&self, standing: Option<Standing>) -> bool {
        let takes = || self.told.lock().expect("BUG: nothing panics while holding this lock").takes(standing);
        !self.is_joining() || takes()
    }

    /// Entries were taken: admits it if it has everything now that the leader has committed.
    ///
    /// # Errors
    /// Whatever the system says; then it is not admitted.
    pub async fn taken(
        &self,
        standing: Option<Standing>,
        previous: Option<LogId>,
        committed: Option<LogId>,
        response: &AppendEntriesResponse<TypeConfig>,
    ) -> Result<(), StoreError> {
        let complete = matches!(response, AppendEntriesResponse::Success) && previous >= committed;
        match standing {
            Some(Standing::Voter(_)) if complete && self.is_joining() => self.admit().await,
            Some(Standing::Voter(_) | Standing::Learner(_)) | None => Ok(()),
        }
    }

    /// Admits it, durably.
    ///
    /// # Errors
    /// Whatever the system says; then it is not admitted.
    pub async fn admit(&self) -> Result<(), StoreError> {
        self.disk.admit().await?;
        if self.joining.send_replace(false) {
            tracing::info!("this controller is admitted: it votes from now on");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec::log_id;

    #[test]
    fn a_joining_controller_takes_entries_from_who_does_not_count_on_it_and_then_from_newer_lists_alone() {
        let mut told = Told::default();
        let (voter, learner) =
            (|at| Some(Standing::Voter(log_id(2, 1, at))), Some(Standing::Learner(log_id(2, 1, 20))));
        assert!(!told.takes(None), "nobody knows");
        assert!(!told.takes(voter(9)), "the list from before it lost its disk counts on it");
        assert!(!told.takes(voter(30)), "and so may a newer one");
        assert!(told.takes(learner));
        assert!(!told.takes(voter(9)), "an old leader still counts on what it has lost");
        assert!(told.takes(voter(30)));
        assert!(told.takes(Some(Standing::Learner(log_id(1, 1, 5)))), "harmless");
        assert!(!told.takes(voter(20)), "and forgets nothing");
    }
}
