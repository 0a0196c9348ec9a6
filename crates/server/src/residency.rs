//! Which databases are on this server: loads them once, lets sessions in, puts them away.
//!
//! A table of handles; each database's work is done by its own task (`residency/owner.rs`). What is asked twice is done
//! once: whoever asks for a database that is being loaded waits for that load.

mod attachments;
pub mod cache;
mod commit;
mod copy;
mod doors;
mod forking;
mod gathering;
mod line;
mod load;
mod owner;
mod questions;
pub mod reports;
mod resident;
mod signals;
mod snapshots;
mod visit;
mod world;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::{DatabaseId, Epoch};
use rpc::{
    load::DatabaseUsage,
    server::{Loaded, LoadedDatabase, ServerRefusal},
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::answers::Ending;

pub use self::{
    doors::Why,
    resident::{Resident, Signal},
    signals::Signals,
    visit::Visit,
    world::{Parts, World},
};

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

impl Residents {
    /// None yet.
    pub fn new(world: World) -> Self {
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
            let _leaving = self.0.world.environment.leaving(database);
            resident.close(Why::Released, Instant::now() + patience);
            if timeout(patience, resident.gone()).await.is_err() {
                // The owner may be waiting for a store or a thread: who is inside has to go all the same.
                resident.cut(Ending::NotOwner { epoch: Some(resident.epoch) });
                resident.gone().await;
            }
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
                    closing: doors.is_closing() && (doors.sessions() == 0 || resident.is_cut()),
                }
            })
            .collect()
    }

    /// Has databases put away that nobody has used for so long, those idle for longest first; how many.
    pub fn unload_idle(&self, most: usize, idle_min: Duration) -> usize {
        let now = Instant::now();
        let mut idle: Vec<_> = {
            let table = self.0.table();
            let aged =
                table.residents.values().map(|resident| (resident.doors().idle(now), Arc::clone(resident)));
            aged.filter(|(idle, resident)| *idle >= idle_min && resident.is_serving()).collect()
        };
        idle.sort_by_key(|(idle, _)| std::cmp::Reverse(*idle));
        idle.into_iter()
            .filter(|(_, resident)| resident.close_if_empty(Why::Pressure, now))
            .take(most)
            .count()
    }

    /// Has logs beside working copies folded; of how many databases.
    pub fn checkpoint(&self, most: usize) -> usize {
        let residents: Vec<_> = self.0.table().residents.values().cloned().collect();
        residents.iter().filter(|resident| resident.checkpoint()).take(most).count()
    }

    /// What each of those here has used since it was loaded.
    pub fn used(&self) -> Vec<DatabaseUsage> {
        let table = self.0.table();
        let used = |resident: &Arc<Resident>| {
            let (cpu_us, requests) = resident.used.counts();
            DatabaseUsage { database: resident.id, epoch: resident.epoch, cpu_us, requests }
        };
        table.residents.values().map(used).collect()
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
