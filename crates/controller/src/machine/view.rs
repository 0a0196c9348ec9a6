//! Reading the map while it changes.

use std::sync::{Arc, RwLock};

use model::{Fleet, Outcome, Revision};
use openraft::EntryPayload;
use tokio::{
    sync::watch,
    time::{Duration, timeout},
};

use super::Tally;
use crate::raft::{Applied, LogEntry};

/// The map and what is counted along with it.
#[derive(Default)]
pub struct State {
    fleet: Fleet,
    tally: Tally,
}

/// A handle on the map. Cheap to clone; reading takes a lock that is held for as long as some entries take to apply.
#[derive(Clone)]
pub struct View {
    shared: Arc<Shared>,
}

struct Shared {
    state: RwLock<State>,
    revision: watch::Sender<Revision>,
}

impl Default for View {
    fn default() -> Self {
        Self { shared: Arc::new(Shared { state: RwLock::default(), revision: watch::Sender::default() }) }
    }
}

impl State {
    /// Of a whole map.
    pub(super) fn of(fleet: Fleet) -> Self {
        Self { tally: Tally::of(&fleet), fleet }
    }

    /// The map.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// How many databases each server owns.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn apply(&mut self, entry: &LogEntry) -> std::io::Result<Applied> {
        let revision = Revision(entry.log_id.index);
        match &entry.payload {
            EntryPayload::Normal(proposal) => {
                self.follows(revision)?;
                Ok(Applied(self.tally.apply(&mut self.fleet, revision, proposal.entry())))
            }
            EntryPayload::Blank | EntryPayload::Membership(_) => {
                // The first entry of all has number 0, as has the empty map.
                if revision > Revision(0) {
                    self.follows(revision)?;
                    self.fleet.advance(revision);
                }
                Ok(Applied(Ok(Outcome::Done)))
            }
        }
    }

    fn follows(&self, revision: Revision) -> std::io::Result<()> {
        if revision > self.fleet.revision() {
            return Ok(());
        }
        let at = self.fleet.revision();
        Err(std::io::Error::other(format!("entry {revision} is to be applied, but the map is at {at}")))
    }
}

impl View {
    /// Entries up to this one are repeated from before a restart.
    pub fn begin_after(&self, history: Revision) {
        let mut state = self.shared.state.write().expect("BUG: nothing panics while holding this lock");
        state.tally.begin_after(history);
    }

    /// Looks at the map. Keep it short: entries wait meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.state.read().expect("BUG: nothing panics while holding this lock"))
    }

    /// The last applied revision.
    pub fn revision(&self) -> Revision {
        *self.shared.revision.borrow()
    }

    /// Waits until the map is at least at `revision`; tells whether it came so far in time.
    pub async fn reaches(&self, revision: Revision, wait: Duration) -> bool {
        let mut revisions = self.shared.revision.subscribe();
        let reached = revisions.wait_for(|now| *now >= revision);
        timeout(wait, reached).await.is_ok_and(|reached| reached.is_ok())
    }

    /// Tells of every new revision.
    pub fn revisions(&self) -> watch::Receiver<Revision> {
        self.shared.revision.subscribe()
    }

    /// Applies committed entries, oldest first.
    ///
    /// # Errors
    /// When they do not follow what has been applied.
    pub(super) fn apply(&self, entries: &[LogEntry]) -> std::io::Result<Vec<Applied>> {
        let (results, revision) = {
            let mut state = self.shared.state.write().expect("BUG: nothing panics while holding this lock");
            let results: std::io::Result<Vec<Applied>> =
                entries.iter().map(|entry| state.apply(entry)).collect();
            (results?, state.fleet.revision())
        };
        self.shared.revision.send_replace(revision);
        Ok(results)
    }

    /// Takes over another map as a whole; gives back the one before.
    pub(super) fn replace(&self, state: State) -> State {
        let revision = state.fleet.revision();
        let mut shared = self.shared.state.write().expect("BUG: nothing panics while holding this lock");
        let before = std::mem::replace(&mut *shared, state);
        drop(shared);
        self.shared.revision.send_replace(revision);
        before
    }
}
