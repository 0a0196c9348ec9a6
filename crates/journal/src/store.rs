//! The journals of one fleet in one store.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use model::{DatabaseId, FleetId, Incarnation};

use crate::{
    Local, Nonce, ObjectError, Objects, Patience, Threads,
    log::Log,
    names,
    objects::{ErrorKind, Key, OnBroken, ProofError, prove},
    place::{Place, PlaceError},
};

/// The journals of one fleet in one store. Cheap to clone; all clones are one process in the eyes of the logs.
#[derive(Clone, Debug)]
pub struct Store {
    core: Arc<Core>,
}

#[derive(Debug)]
struct Core {
    objects: Arc<dyn Objects>,
    fleet: FleetId,
    process: Incarnation,
    openings: AtomicU64,
    patience: Patience,
    threads: Threads,
}

/// A store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory cannot be made, or not made durable.
    #[error("could not use {dir} as a store")]
    Directory {
        /// The directory.
        dir: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A URL names no store.
    #[cfg(feature = "cloud")]
    #[error(transparent)]
    Url(#[from] crate::objects::UrlError),
    /// What was named is no place for a store, or none that this program can use.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// It failed its self-test.
    #[error("the store failed its self-test")]
    Unproven(#[from] ProofError),
}

impl StoreError {
    /// It may pass by itself: the store answered badly or not at all, but nothing says that it is unfit.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unproven(ProofError::Store(error)) if error.kind == ErrorKind::Unknown)
    }
}

impl Store {
    /// The store in a directory of this machine, made if it is not there, and tested.
    ///
    /// Should the directory ever fail to sync, this process ends: nothing that it says could be trusted any more.
    ///
    /// `process` must be random: own writes are recognised by it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn local(dir: &Path, fleet: FleetId, process: Incarnation) -> Result<Self, StoreError> {
        let path = dir.to_path_buf();
        let made = Threads::Pool.run(move || Local::new(&path, Threads::Pool, OnBroken::EndProcess)).await;
        let local = made.map_err(|source| StoreError::Directory { dir: dir.into(), source })?;
        let store = Self::with(Arc::new(local), fleet, process, Patience::default(), Threads::Pool);
        store.prove().await?;
        Ok(store)
    }

    /// The store at a place: a directory, or with the feature `cloud` a URL as `objects::Cloud::at` takes it.
    /// Tested.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn at(place: &str, fleet: FleetId, process: Incarnation) -> Result<Self, StoreError> {
        let objects = match Place::of(place)? {
            Place::Directory(dir) => return Self::local(dir, fleet, process).await,
            Place::Url(url) => cloud(url)?,
        };
        let store = Self::with(objects, fleet, process, Patience::default(), Threads::Pool);
        store.prove().await?;
        Ok(store)
    }

    /// Any store, not tested yet: see [`Store::prove`].
    pub fn with(
        objects: Arc<dyn Objects>,
        fleet: FleetId,
        process: Incarnation,
        patience: Patience,
        threads: Threads,
    ) -> Self {
        let core = Core { objects, fleet, process, openings: AtomicU64::new(1), patience, threads };
        Self { core: Arc::new(core) }
    }

    /// Tests that the store keeps the promises that every commit stands on. Takes some hundred small puts.
    ///
    /// # Errors
    /// What it does not keep: it must not be used.
    pub async fn prove(&self) -> Result<(), ProofError> {
        let folder = format!("{}/proof/{}", self.fleet(), self.core.process);
        prove(self.objects_shared(), &Key::new(folder)).await
    }

    /// Looks at an object that is not there: the cheapest question there is, to measure how long an answer takes.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn look(&self) -> Result<(), ObjectError> {
        let key = Key::new(format!("{}/look", self.fleet()));
        self.objects().read(&key, None).await.map(drop)
    }

    /// The databases that have a journal here, sorted.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn databases(&self) -> Result<Vec<DatabaseId>, ObjectError> {
        let fleet = Key::new(self.fleet().to_string());
        let mut databases = Vec::new();
        for shard in self.objects().folders(&fleet).await? {
            let names = self.objects().folders(&fleet.join(&shard)).await?;
            databases.extend(names.iter().filter_map(|name| name.parse::<DatabaseId>().ok()));
        }
        databases.sort();
        Ok(databases)
    }

    /// Where the objects of a database's journal are.
    pub fn folder(&self, database: DatabaseId) -> Key {
        names::folder(self.fleet(), database)
    }

    /// Whose journals these are.
    pub fn fleet(&self) -> FleetId {
        self.core.fleet
    }

    pub(crate) fn process(&self) -> Incarnation {
        self.core.process
    }

    pub(crate) fn next_nonce(&self) -> Nonce {
        Nonce { process: self.core.process, opening: self.core.openings.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) fn objects(&self) -> &dyn Objects {
        &*self.core.objects
    }

    pub(crate) fn objects_shared(&self) -> &Arc<dyn Objects> {
        &self.core.objects
    }

    pub(crate) fn patience(&self) -> Patience {
        self.core.patience
    }

    pub(crate) fn threads(&self) -> Threads {
        self.core.threads
    }

    pub(crate) fn log(&self, database: DatabaseId) -> Log {
        Log::new(self.clone(), database)
    }
}

#[cfg(feature = "cloud")]
pub(crate) fn cloud(url: &str) -> Result<Arc<dyn Objects>, StoreError> {
    Ok(Arc::new(crate::objects::Cloud::at(url, &[])?))
}

#[cfg(not(feature = "cloud"))]
pub(crate) fn cloud(url: &str) -> Result<Arc<dyn Objects>, StoreError> {
    unreachable!("BUG: {url} is no place for a program without the feature `cloud`")
}
