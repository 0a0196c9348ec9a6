//! What a leader knows only in memory, from becoming the leader until it ceases to be: who was heard of, what is
//! loaded, what is being done. A new leader begins with nothing and finds it out again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Mutex,
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use model::{DatabaseId, Epoch, Tenure};
use rpc::{Refusal, controller::Route};
use tokio::{sync::oneshot, time::Instant};
use tokio_util::task::TaskTracker;

use crate::decide::{Cleanup, Liveness};

/// One leader's reign.
pub struct Reign {
    /// The term it leads in.
    pub term: u64,
    state: Mutex<State>,
    flights: Mutex<BTreeMap<DatabaseId, Flight>>,
}

/// Work on a database's owner on its way: one at a time for each database, so that nobody loads it while somebody
/// takes it away. Everybody who asks for a route meanwhile waits for the same one.
pub type Flight = Shared<BoxFuture<'static, Landed>>;

/// Where a database is then; `None` when it was taken from its owner.
pub type Landed = Result<Option<Route>, Refusal>;

/// What is known.
pub struct State {
    /// Who was heard of.
    pub liveness: Liveness,
    /// Purges of dropped databases.
    pub cleanup: Cleanup,
    /// Databases that their owner has loaded, with the epoch.
    pub loaded: HashMap<DatabaseId, Epoch>,
    /// Lives that are being declared over. Their heartbeats are not acknowledged any more.
    pub expiring: BTreeSet<Tenure>,
    /// Servers that are being emptied by a task of this reign.
    pub draining: BTreeSet<Tenure>,
}

impl Reign {
    /// Begins.
    pub fn new(term: u64, lease: Duration, now: Instant) -> Self {
        let state = State {
            liveness: Liveness::new(lease, now),
            cleanup: Cleanup::default(),
            loaded: HashMap::new(),
            expiring: BTreeSet::new(),
            draining: BTreeSet::new(),
        };
        Self { term, state: Mutex::new(state), flights: Mutex::default() }
    }

    /// Looks at or changes what is known.
    pub fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().expect("BUG: nothing panics while holding this lock"))
    }

    /// Joins the flight for this database, or starts one, which goes on even if nobody waits for it any more. Tells
    /// whether it was started.
    pub fn join(
        self: &std::sync::Arc<Self>,
        database: DatabaseId,
        tasks: &TaskTracker,
        fly: impl FnOnce() -> BoxFuture<'static, Landed>,
    ) -> (Flight, bool) {
        let mut flights = self.flights.lock().expect("BUG: nothing panics while holding this lock");
        if let Some(flight) = flights.get(&database) {
            return (flight.clone(), false);
        }
        let (landed, landing) = oneshot::channel();
        let flight = landing
            .map(|result| {
                result.unwrap_or_else(|_| {
                    Err(Refusal::Unavailable { reason: "this controller is shutting down".into() })
                })
            })
            .boxed()
            .shared();
        flights.insert(database, flight.clone());
        let (reign, work) = (self.clone(), fly());
        tasks.spawn(async move {
            let result = work.await;
            reign.flights.lock().expect("BUG: nothing panics while holding this lock").remove(&database);
            // Everybody may have stopped waiting.
            let _ = landed.send(result);
        });
        (flight, true)
    }
}
