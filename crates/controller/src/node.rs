//! One controller: what its parts share.

mod assign;
mod backups;
mod balancing;
mod conditions;
mod directives;
mod draining;
mod duties;
mod events;
mod failover;
mod forking;
mod grey;
mod heartbeats;
mod levels;
mod loads;
mod lookups;
mod members;
mod moving;
mod operate;
mod placement;
mod prometheus;
mod propose;
mod read_index;
mod reasons;
mod route;
mod snapshots;
mod stalling;
mod standing;
mod time_limit;
mod watch;
mod witness;

use std::sync::{Arc, Mutex, RwLock};

use model::{DatabaseId, NAME_BYTES_MAX, Revision};
use openraft::type_config::alias::InstantOf;
use rpc::{Host, Refusal, controller::DatabaseRef};
use tokio_util::task::TaskTracker;

use crate::{
    blocking::Worker,
    decide::Facts,
    limits::BEHIND_WAIT,
    machine::{State, View},
    raft::{Admission, Peers, Raft, TypeConfig},
    reign::Reign,
    servers::Servers,
    settings::Settings,
};

/// A controller that runs.
pub struct Node {
    /// What the operator said.
    pub settings: Settings,
    /// The world around it.
    pub host: Host,
    /// The consensus engine.
    pub raft: Raft,
    /// The map.
    pub view: View,
    /// Whether it may vote.
    pub admission: Arc<Admission>,
    /// What is known of the other controllers beside the map.
    pub peers: Arc<Peers>,
    /// Work that outlives its caller. Ends with the controller.
    pub tasks: TaskTracker,
    servers: Servers,
    reign: RwLock<Option<Arc<Reign>>>,
    /// When this controller last heard from a leader, or led itself.
    heard: Mutex<Option<InstantOf<TypeConfig>>>,
    /// What is to be recorded as events.
    facts: Mutex<Facts>,
    /// Copies of the map that are being read.
    backups: Mutex<backups::Backups>,
    /// Look-ups that want to be confirmed.
    reads: read_index::Waiting,
    /// For long computations.
    pub calculator: Arc<Worker<()>>,
    /// Whether its disk does not finish a write.
    stalled: tokio::sync::watch::Sender<Option<stalling::Stalled>>,
}

impl Node {
    /// Puts the parts together.
    pub fn new(
        settings: Settings,
        host: Host,
        raft: Raft,
        view: View,
        (admission, peers): (Arc<Admission>, Arc<Peers>),
        calculator: Arc<Worker<()>>,
    ) -> Self {
        let servers = Servers::new(host.clone());
        let reign = RwLock::new(None);
        let (tasks, reads) = (TaskTracker::new(), read_index::Waiting::default());
        let (heard, facts) = (Mutex::default(), Mutex::default());
        let (stalled, backups) = (tokio::sync::watch::Sender::default(), Mutex::default());
        Self {
            settings,
            host,
            raft,
            view,
            admission,
            peers,
            tasks,
            servers,
            reign,
            heard,
            facts,
            reads,
            calculator,
            stalled,
            backups,
        }
    }

    /// The present reign.
    ///
    /// # Errors
    /// A [`Refusal`] that says who leads, or what is missing.
    fn reign(&self) -> Result<Arc<Reign>, Refusal> {
        self.reign_if_any().ok_or_else(|| self.not_leading())
    }

    fn reign_if_any(&self) -> Option<Arc<Reign>> {
        let reign = self.reign.read().expect("BUG: nothing panics while holding this lock").clone();
        reign.filter(|_| self.successor().is_none())
    }

    /// Waits a moment until the map is at least at `revision`.
    async fn at_least(&self, revision: Revision) -> Result<(), Refusal> {
        if self.view.revision() >= revision || self.view.reaches(revision, BEHIND_WAIT).await {
            return Ok(());
        }
        Err(Refusal::Behind { revision: self.view.revision().0, at_least: revision.0 })
    }
}

/// The database that is meant, as the map stands now.
fn resolve(state: &State, database: &DatabaseRef) -> Result<DatabaseId, Refusal> {
    let fleet = state.fleet();
    match database {
        DatabaseRef::Id(id) => match fleet.database(*id) {
            Some(_) => Ok(*id),
            None => Err(model::Rejection::DatabaseUnknown { database: *id }.into()),
        },
        DatabaseRef::Name(name) => {
            fleet.database_named(name).ok_or_else(|| Refusal::DatabaseNameUnknown { name: shortened(name) })
        }
    }
}

/// A text for an answer: as it is, or its beginning when it is longer than any name.
fn shortened(text: &str) -> String {
    if text.len() <= NAME_BYTES_MAX {
        return text.into();
    }
    let end = (0..=NAME_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}
