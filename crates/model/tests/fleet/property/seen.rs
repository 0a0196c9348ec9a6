//! A map as its public functions show it at one moment. Plain data, so that tests can plant what code never does.

use std::collections::BTreeMap;

use model::{
    Change, Changes, DatabaseId, Digest, Epoch, Event, Fleet, IdempotencyKey, Incarnation, Outcome,
    Rejection, Revision, ServerId, ServerState, Tenure,
};

use super::step::Step;
use crate::view;

/// A map at one moment.
#[derive(Clone, Debug)]
pub struct Seen {
    pub revision: Revision,
    pub digest: Digest,
    pub databases_len: usize,
    pub databases: BTreeMap<DatabaseId, Database>,
    /// Names in the order listed.
    pub names: Vec<String>,
    pub dropped: BTreeMap<DatabaseId, Epoch>,
    /// Copies that are being made, and of what.
    pub forming: BTreeMap<DatabaseId, DatabaseId>,
    pub servers: BTreeMap<ServerId, (Incarnation, ServerState)>,
    /// Everything, as text.
    pub lines: Vec<String>,
    /// All events.
    pub events: Vec<Event>,
}

/// A database at one moment.
#[derive(Clone, Debug)]
pub struct Database {
    pub epoch: Epoch,
    /// The tenure in its record.
    pub given_to: Option<Tenure>,
    /// The owner that the map names.
    pub owner: Option<Tenure>,
    /// What a look-up of its name finds.
    pub found: Option<DatabaseId>,
}

impl Seen {
    /// Whether that life of a server goes on, draining or not.
    pub fn is_alive(&self, tenure: Tenure) -> bool {
        self.servers.get(&tenure.server).is_some_and(|(life, state)| match state {
            ServerState::Up | ServerState::Draining => *life == tenure.incarnation,
            ServerState::Down => false,
        })
    }

    pub fn of(fleet: &Fleet) -> Self {
        let listed: Vec<_> = fleet.databases_after(None).collect();
        let database = |(id, record): &(DatabaseId, &model::Database)| {
            let seen = Database {
                epoch: record.epoch,
                given_to: record.owner,
                owner: fleet.owner(*id).map(|(tenure, _)| tenure),
                found: fleet.database_named(&record.name),
            };
            (*id, seen)
        };
        Self {
            revision: fleet.revision(),
            digest: fleet.digest(),
            databases_len: fleet.databases_len(),
            databases: listed.iter().map(database).collect(),
            names: listed.iter().map(|(_, record)| record.name.to_string()).collect(),
            dropped: fleet.dropped().collect(),
            forming: fleet.forming().map(|(id, fork)| (id, fork.parent)).collect(),
            servers: fleet.servers().map(|(id, server)| (id, (server.incarnation, server.state))).collect(),
            lines: view::lines(fleet),
            events: fleet.events().iter().cloned().collect(),
        }
    }
}

/// One step: the map before and after it, and all that went before.
pub struct Moment<'a> {
    pub past: &'a Past,
    pub before: &'a Seen,
    pub step: &'a Step,
    /// The answer, when the step was an entry.
    pub answer: Option<Result<Outcome, Rejection>>,
    pub after: &'a Seen,
    /// What watchers learn of it.
    pub changes: Vec<Change>,
    /// The same map on a controller that applied the same entries without ever restarting, and its answer.
    pub replica: (&'a Seen, Option<Result<Outcome, Rejection>>),
    /// The map that a snapshot taken now brings back, and whether that map's own snapshot has the same bytes.
    pub restored: (&'a Seen, bool),
}

/// What earlier steps showed and no later one may contradict.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// The highest epoch of every database that ever was.
    pub epochs: BTreeMap<DatabaseId, Epoch>,
    /// Lives that are over.
    pub ended: Vec<Tenure>,
    /// What each idempotency key made.
    pub made: BTreeMap<IdempotencyKey, DatabaseId>,
}

/// What watchers learn after a revision.
pub fn changes(fleet: &Fleet, since: Revision) -> Vec<Change> {
    match fleet.changes(since, usize::MAX) {
        Changes::Since(changes) => changes.into_iter().map(|(_, change)| change.clone()).collect(),
        Changes::Reset => panic!("a watcher at revision {since} must not be sent back to the start"),
    }
}
