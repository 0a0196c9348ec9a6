//! Which databases are on this server: loads them once, lets sessions in, puts them away.
//!
//! A table of handles; each database's work is done by its own task (`residency/owner.rs`). What is asked twice is done
//! once: whoever asks for a database that is being loaded waits for that load.

pub mod cache;
mod commit;
mod copy;
mod doors;
mod gathering;
mod load;
mod owner;
pub mod reports;
mod resident;
mod snapshots;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use model::{DatabaseId, Epoch, TimestampMs};
use rpc::server::{Loaded, LoadedDatabase, ServerRefusal};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use self::{cache::Cache, doors::Patience, reports::Reports};
use crate::{
    answers::Ending,
    engine::{Engine, Limits},
    lease::Lease,
    limits::{COOL_AFTER, LOADS_AT_ONCE, OPEN_COPIES_MAX},
    workers::Workers,
};

pub use self::{
    doors::Why,
    resident::{Resident, Signal, Visit},
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
    /// Limits of each database.
    pub limits: Limits,
    /// How long a database may do without sessions.
    patience: Patience,
    /// Working copies open now.
    open_copies: AtomicUsize,
    /// Above so many, a copy that nobody uses is closed at once.
    open_copies_max: usize,
    /// How many may be here at a time.
    pub databases_max: usize,
    /// The wall clock, for information only.
    pub clock: fn() -> TimestampMs,
    loads: Semaphore,
    /// Work beside everything else.
    chores: Mutex<JoinSet<()>>,
}

/// The databases of this server. Cheap to clone.
#[derive(Clone)]
pub struct Residents(Arc<Shared>);

struct Shared {
    world: Arc<World>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    residents: BTreeMap<DatabaseId, Arc<Resident>>,
    /// Set when the process ends: nothing is loaded any more.
    closed: bool,
    /// The databases' tasks.
    owners: JoinSet<()>,
}

/// Ends all databases' tasks when dropped, without putting anything away.
pub struct Owners(Arc<Shared>);

impl Drop for Owners {
    fn drop(&mut self) {
        let owners = std::mem::take(&mut self.0.table().owners);
        // Outside the lock: their ends take themselves from the table.
        drop(owners);
        self.0.world.chores().abort_all();
    }
}

/// What everything in [`World`] but its own parts is made of.
pub struct WorldParts {
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
    /// See [`World::clock`].
    pub clock: fn() -> TimestampMs,
}

impl Residents {
    /// None yet.
    pub fn new(parts: WorldParts, settings: &crate::Settings) -> Self {
        let WorldParts { engine, store, workers, cache, reports, lease, clock } = parts;
        let idle = settings.idle_put_away;
        let world = World {
            engine,
            store,
            workers,
            cache: Arc::new(cache),
            reports,
            lease,
            limits: settings.database.clone(),
            patience: Patience { cool: COOL_AFTER, leave: (idle > Duration::ZERO).then_some(idle) },
            open_copies: AtomicUsize::new(0),
            open_copies_max: OPEN_COPIES_MAX,
            databases_max: settings.databases_loaded_max,
            clock,
            loads: Semaphore::new(LOADS_AT_ONCE),
            chores: Mutex::default(),
        };
        Self(Arc::new(Shared { world: Arc::new(world), table: Mutex::default() }))
    }

    /// Loads a database, or finds it loaded.
    ///
    /// # Errors
    /// [`ServerRefusal::EpochSpent`], [`ServerRefusal::Full`], [`ServerRefusal::Failed`], [`ServerRefusal::NotServing`].
    pub async fn load(&self, database: DatabaseId, epoch: Epoch) -> Result<Loaded, ServerRefusal> {
        let started = Instant::now();
        loop {
            let (resident, already) = self.find_or_start(database, epoch)?;
            match resident.epoch.cmp(&epoch) {
                std::cmp::Ordering::Equal => {
                    resident.loaded().await?;
                    let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                    return Ok(Loaded { already, took_us });
                }
                std::cmp::Ordering::Greater => {
                    return Err(ServerRefusal::EpochSpent { database, epoch, journal: resident.epoch });
                }
                // The map gave it to us anew: what is here under the old epoch is void.
                std::cmp::Ordering::Less => {
                    resident.close(Why::Expired, Instant::now());
                    resident.gone().await;
                }
            }
        }
    }

    fn find_or_start(
        &self,
        database: DatabaseId,
        epoch: Epoch,
    ) -> Result<(Arc<Resident>, bool), ServerRefusal> {
        let mut table = self.0.table();
        if table.closed {
            return Err(ServerRefusal::NotServing { reason: "it is shutting down".into() });
        }
        if let Some(resident) = table.residents.get(&database) {
            return Ok((Arc::clone(resident), resident.is_serving()));
        }
        if self.0.world.reports.holds(database, epoch) {
            return Err(ServerRefusal::EpochSpent { database, epoch, journal: epoch });
        }
        self.make_room(&table)?;
        let resident = Arc::new(Resident::new(database, epoch, self.0.world.lease.clone(), Instant::now()));
        table.residents.insert(database, Arc::clone(&resident));
        while table.owners.try_join_next().is_some() {}
        table.owners.spawn(owner::own(Arc::clone(&self.0), Arc::clone(&resident)));
        Ok((resident, false))
    }

    /// At the limit, sends the database away that was idle for longest.
    fn make_room(&self, table: &Table) -> Result<(), ServerRefusal> {
        let loaded = table.residents.len();
        if loaded < self.0.world.databases_max {
            return Ok(());
        }
        let now = Instant::now();
        let mut idle: Vec<_> =
            table.residents.values().map(|resident| (resident.doors().idle(now), resident)).collect();
        idle.sort_by_key(|(idle, _)| std::cmp::Reverse(*idle));
        if idle.iter().any(|(_, resident)| resident.close_if_empty(Why::Room, now)) {
            return Ok(());
        }
        Err(ServerRefusal::Full { loaded: loaded as u64 })
    }

    /// Lets a session into a database.
    ///
    /// # Errors
    /// [`Ending::NotOwner`] when it is not served here under that epoch.
    pub async fn enter(&self, database: DatabaseId, epoch: Epoch) -> Result<Visit, Ending> {
        let resident = self.0.table().residents.get(&database).cloned();
        match resident {
            Some(resident) if resident.epoch == epoch => resident.enter().await,
            other => Err(Ending::NotOwner { epoch: other.map(|resident| resident.epoch) }),
        }
    }

    /// Has a database put away, if it is here under that epoch or an older one; returns when it is gone.
    pub async fn release(&self, database: DatabaseId, epoch: Epoch, patience: Duration) {
        let resident = self.0.table().residents.get(&database).cloned();
        if let Some(resident) = resident.filter(|resident| resident.epoch <= epoch) {
            resident.close(Why::Released, Instant::now() + patience);
            resident.gone().await;
        }
    }

    /// Has all databases put away and returns when they are gone.
    pub async fn drain(&self, why: Why, patience: Duration) {
        let until = Instant::now() + patience;
        let residents: Vec<_> = {
            let mut table = self.0.table();
            table.closed |= why == Why::Shutdown;
            table.residents.values().cloned().collect()
        };
        for resident in &residents {
            resident.close(why, until);
        }
        for resident in residents {
            resident.gone().await;
        }
    }

    /// What is loaded now.
    pub fn list(&self) -> Vec<LoadedDatabase> {
        let now = Instant::now();
        let table = self.0.table();
        let serving = table.residents.values().filter(|resident| resident.is_serving());
        serving
            .map(|resident| {
                let doors = resident.doors();
                LoadedDatabase {
                    database: resident.id,
                    epoch: resident.epoch,
                    sessions: doors.sessions() as u64,
                    idle_ms: u64::try_from(doors.idle(now).as_millis()).unwrap_or(u64::MAX),
                }
            })
            .collect()
    }

    /// How many are here.
    pub fn count(&self) -> usize {
        self.0.table().residents.len()
    }

    /// Ties the databases' tasks to the result: they end when it is dropped.
    pub fn end_with(&self) -> Owners {
        Owners(Arc::clone(&self.0))
    }

    /// What they share.
    pub fn world(&self) -> &Arc<World> {
        &self.0.world
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a database from the table, unless another life of it is there already.
    fn forget(&self, gone: &Arc<Resident>) {
        let mut table = self.table();
        if table.residents.get(&gone.id).is_some_and(|resident| Arc::ptr_eq(resident, gone)) {
            table.residents.remove(&gone.id);
        }
    }
}

impl World {
    /// Starts work that nobody waits for. It ends with the server at the latest.
    fn chore(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut chores = self.chores();
        while chores.try_join_next().is_some() {}
        chores.spawn(work);
    }

    fn chores(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.chores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn remove_copy(self: &Arc<Self>, resident: &Resident) {
        let (cache, id, epoch) = (Arc::clone(&self.cache), resident.id, resident.epoch);
        if let Err(error) = self.workers.run(move || cache.remove(id, epoch)).await {
            tracing::warn!(database = %id, %error, "a working copy was not removed");
        }
    }

    /// How long a database may do without sessions now.
    fn patience(&self) -> Patience {
        let crowded = self.open_copies.load(Ordering::Relaxed) > self.open_copies_max;
        if crowded { Patience { cool: Duration::ZERO, ..self.patience } } else { self.patience }
    }
}
