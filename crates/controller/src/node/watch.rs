//! The long poll of those who cache the map: handlers, servers, tools.

use std::collections::HashSet;

use model::{Changes, DatabaseId, Revision};
use rpc::controller::{Watched, WatchedChange, WatchedChanges};
use tokio::time::{Duration, Instant, timeout_at};

use super::{
    Node,
    lookups::{revision, shown},
};
use crate::{
    limits::{WATCH_CHANGES_MAX, WATCH_WAIT_MAX},
    machine::State,
};

impl Node {
    /// What changed after `since`; waits up to `wait` for something to change.
    ///
    /// A watcher that is ahead of this controller, because it watched a faster one before, keeps what it has and
    /// waits until this one is as far: it never goes back (C16).
    pub async fn watch(&self, since: Revision, wait: Duration) -> Watched {
        let deadline = Instant::now() + wait.min(WATCH_WAIT_MAX);
        let mut revisions = self.view.revisions();
        loop {
            revisions.borrow_and_update();
            if let Some(watched) = self.view.read(|state| watched(state, since)) {
                return watched;
            }
            let changed = async {
                tokio::select! {
                    biased;
                    () = self.host.shutdown.cancelled() => false,
                    changed = revisions.changed() => changed.is_ok(),
                }
            };
            if !timeout_at(deadline, changed).await.unwrap_or(false) {
                let revision = self.view.revision().max(since);
                return Watched { revision, changes: WatchedChanges::Since(Vec::new()) };
            }
        }
    }
}

/// What there is to tell now, if anything.
fn watched(state: &State, since: Revision) -> Option<Watched> {
    let now = revision(state);
    if since > now {
        return None;
    }
    let changes = match state.fleet().changes(since, WATCH_CHANGES_MAX) {
        Changes::Reset => return Some(Watched { revision: now, changes: WatchedChanges::Reset }),
        Changes::Since(changes) => changes,
    };
    let (last, _) = changes.last()?;
    // Only a full answer leaves something for the next one.
    let revision = if changes.len() < WATCH_CHANGES_MAX { now } else { *last };
    let mut told: HashSet<DatabaseId> = HashSet::new();
    let mut shown: Vec<WatchedChange> = changes
        .iter()
        .rev()
        .filter(|(_, change)| match change {
            // Changed several times, shown once: every change shows the state now.
            model::Change::Database(id) => told.insert(*id),
            model::Change::Server(_)
            | model::Change::Handler(_)
            | model::Change::User(_)
            | model::Change::Directives => true,
        })
        .filter_map(|(_, change)| shown(state, change))
        .collect();
    shown.reverse();
    Some(Watched { revision, changes: WatchedChanges::Since(shown) })
}
