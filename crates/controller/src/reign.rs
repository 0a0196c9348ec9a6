//! What a leader knows only in memory, from becoming the leader until it ceases to be: who was heard of, what is
//! loaded, what is being done. A new leader begins with nothing and finds it out again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Mutex,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use model::{DatabaseId, Epoch, Name, Tenure};
use rpc::{Refusal, controller::Route};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};
use tokio_util::task::TaskTracker;

use crate::{
    balance::Balance,
    decide::{Alarm, Brake, Errands, Grey, Liveness, Overruns, Pending, Rescue, Told},
    limits::{OVERRUN_WINDOW, OVERRUNS_MAX},
    loads::Loads,
    settings::Settings,
};

/// One leader's reign.
pub struct Reign {
    /// The term it leads in.
    pub term: u64,
    state: Mutex<State>,
    /// Tells those who wait for a verdict on a server that the brake or a probe has spoken.
    word: watch::Sender<()>,
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
    /// Holds back when too many are silent.
    pub brake: Brake,
    /// Servers that the leader's own probe is on its way to.
    pub probing: BTreeSet<Tenure>,
    /// When a server that heartbeats were missing from last answered a probe.
    pub answered: BTreeMap<Tenure, Instant>,
    /// Databases of dead servers, to be loaded elsewhere.
    pub rescue: Rescue,
    /// Servers that are being asked what they have loaded.
    pub surveying: BTreeSet<Tenure>,
    /// Databases on their way to servers.
    pub pending: Pending,
    /// Purges of dropped databases.
    pub cleanup: Errands,
    /// Copies that are being made.
    pub forking: Errands,
    /// Why copies could not be made, the last of them.
    pub forks_failed: BTreeMap<DatabaseId, String>,
    /// Databases that their owner has loaded, with the epoch.
    pub loaded: HashMap<DatabaseId, Epoch>,
    /// Which databases timed out where lately.
    pub overruns: Overruns,
    /// Who is slow, and since when.
    pub grey: Grey,
    /// Servers that this reign has emptied because they were slow.
    pub emptied: BTreeSet<Tenure>,
    /// Lives that are being declared over. Their heartbeats are not acknowledged any more.
    pub expiring: BTreeSet<Tenure>,
    /// Servers that are being emptied by a task of this reign.
    pub draining: BTreeSet<Tenure>,
    /// When the controllers were last asked which level they know.
    pub levels_asked: Option<Instant>,
    /// Whether the list of controllers is being changed.
    pub members_changing: bool,
    /// A controller that is being added, and whose place it takes.
    pub replacing: Option<(u64, u64)>,
    /// What handlers told of directives.
    pub told: Told,
    /// Moves of the placement policy.
    pub balance: Balance,
    /// What servers and databases use.
    pub loads: Loads,
    /// Whether it was said that something is wrong with what Prometheus says.
    pub prometheus: Alarm,
    /// How many changes of conditions each server's life has told.
    pub conditions_told: BTreeMap<Tenure, u64>,
    /// Directives whose time is over, and which are being ended.
    pub ending: BTreeSet<Name>,
}

impl Reign {
    /// Begins.
    pub fn new(term: u64, settings: &Settings, now: Instant) -> Self {
        let state = State {
            liveness: Liveness::new(settings.lease, settings.heartbeat, now),
            brake: Brake::new(settings.brake_percent, settings.brake_window, settings.lease),
            probing: BTreeSet::new(),
            answered: BTreeMap::new(),
            rescue: Rescue::new(settings.failover_per_second, settings.failover_in_flight as usize, now),
            surveying: BTreeSet::new(),
            pending: Pending::default(),
            cleanup: Errands::default(),
            forking: Errands::default(),
            forks_failed: BTreeMap::new(),
            loaded: HashMap::new(),
            overruns: Overruns::new(OVERRUN_WINDOW, OVERRUNS_MAX),
            grey: Grey::new(settings.empty_slow_after),
            emptied: BTreeSet::new(),
            expiring: BTreeSet::new(),
            draining: BTreeSet::new(),
            levels_asked: None,
            members_changing: false,
            replacing: None,
            told: Told::default(),
            balance: Balance::new(now),
            prometheus: Alarm::default(),
            conditions_told: BTreeMap::new(),
            loads: Loads::new(settings.load.clone(), settings.prometheus.clone(), now),
            ending: BTreeSet::new(),
        };
        Self { term, state: Mutex::new(state), word: watch::Sender::default(), flights: Mutex::default() }
    }

    /// The brake or a probe has spoken.
    pub fn speak(&self) {
        self.word.send_replace(());
    }

    /// Hears of every such word.
    pub fn words(&self) -> watch::Receiver<()> {
        self.word.subscribe()
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
