//! What all databases of a server share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use model::TimestampMs;
use tokio::{sync::Semaphore, task::JoinSet};

use super::{cache::Cache, doors::Patience, reports::Reports, resident::Resident};
use crate::{
    Settings,
    engine::{Engine, Limits},
    environment::Environment,
    lease::Lease,
    limits::{COOL_AFTER, LOADS_AT_ONCE, OPEN_COPIES_MAX},
    vitals::Vitals,
    workers::Workers,
};

/// What all databases of a server share.
pub struct World {
    /// Opens working copies.
    pub engine: Arc<dyn Engine>,
    /// The fleet's journals.
    pub store: journal::Store,
    /// Where engines run.
    pub workers: Workers,
    /// Where working copies are.
    pub cache: Arc<Cache>,
    /// What was put away and is to be told.
    pub reports: Reports,
    /// Guards reads.
    pub lease: Lease,
    /// How this server feels.
    pub vitals: Vitals,
    /// What goes on around it.
    pub environment: Environment,
    /// Limits of each database.
    pub limits: Limits,
    /// How long a database may do without sessions.
    patience: Patience,
    /// Working copies open now.
    pub(super) open_copies: AtomicUsize,
    /// Above so many, a copy that nobody uses is closed at once.
    open_copies_max: usize,
    /// How many may be here at a time.
    pub databases_max: usize,
    /// How long superfluous parts of a journal stay restorable.
    pub history: Duration,
    /// The wall clock, for information only.
    pub clock: fn() -> TimestampMs,
    pub(super) loads: Semaphore,
    /// Work beside everything else.
    chores: Mutex<JoinSet<()>>,
}

/// What a [`World`] is made of.
pub struct Parts {
    /// See [`World::engine`].
    pub engine: Arc<dyn Engine>,
    /// See [`World::store`].
    pub store: journal::Store,
    /// See [`World::workers`].
    pub workers: Workers,
    /// See [`World::cache`].
    pub cache: Cache,
    /// See [`World::reports`].
    pub reports: Reports,
    /// See [`World::lease`].
    pub lease: Lease,
    /// See [`World::vitals`].
    pub vitals: Vitals,
    /// See [`World::environment`].
    pub environment: Environment,
    /// See [`World::clock`].
    pub clock: fn() -> TimestampMs,
}

impl World {
    /// With nothing in it yet.
    pub fn new(parts: Parts, settings: &Settings) -> Self {
        let Parts { engine, store, workers, cache, reports, lease, vitals, environment, clock } = parts;
        let idle = settings.idle_put_away;
        Self {
            engine,
            store,
            workers,
            cache: Arc::new(cache),
            reports,
            lease,
            vitals,
            environment,
            limits: settings.database.clone(),
            patience: Patience { cool: COOL_AFTER, leave: (idle > Duration::ZERO).then_some(idle) },
            open_copies: AtomicUsize::new(0),
            open_copies_max: OPEN_COPIES_MAX,
            databases_max: settings.databases_loaded_max,
            history: settings.history,
            clock,
            loads: Semaphore::new(LOADS_AT_ONCE),
            chores: Mutex::default(),
        }
    }

    /// Starts work that nobody waits for. It ends with the server at the latest.
    pub fn chore(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut chores = self.chores();
        while chores.try_join_next().is_some() {}
        chores.spawn(work);
    }

    pub(super) fn chores(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.chores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn remove_copy(self: &Arc<Self>, resident: &Resident) {
        let (cache, id, epoch) = (Arc::clone(&self.cache), resident.id, resident.epoch);
        if let Err(error) = self.workers.run(move || cache.remove(id, epoch)).await {
            tracing::warn!(database = %id, %error, "a working copy was not removed");
        }
    }

    /// How long a database may do without sessions now.
    pub(super) fn patience(&self) -> Patience {
        let crowded = self.open_copies.load(Ordering::Relaxed) > self.open_copies_max;
        if crowded { Patience { cool: Duration::ZERO, ..self.patience } } else { self.patience }
    }
}
