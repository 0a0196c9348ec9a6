//! A database's working copy: a file that only this process knows, open while sessions use it.
//!
//! An open copy costs memory and file handles, a closed one costs its file. Everything committed is in the journal,
//! so the copy is never synced and never trusted by another process.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use super::World;
use crate::{
    engine::{Checkpoint, Database, EngineError},
    measures,
};

/// One working copy.
pub struct WorkingCopy {
    world: Arc<World>,
    image: PathBuf,
    open: Option<Open>,
}

struct Open {
    database: Arc<dyn Database>,
    _counted: Counted,
    _measured: measures::Raised,
}

impl WorkingCopy {
    /// A copy whose image stands complete at `image`. Not open yet.
    pub fn new(world: Arc<World>, image: PathBuf) -> Self {
        Self { world, image, open: None }
    }

    /// Opens it.
    ///
    /// # Errors
    /// As the engine's own.
    pub async fn open(&mut self) -> Result<Arc<dyn Database>, EngineError> {
        assert!(self.open.is_none(), "BUG: opened twice");
        let (world, image) = (Arc::clone(&self.world), self.image.clone());
        let opened = self.world.workers.run(move || world.engine.open(&image, &world.limits)).await?;
        self.open = Some(Open {
            database: Arc::clone(&opened),
            _counted: Counted::new(&self.world),
            _measured: measures::opened(),
        });
        Ok(opened)
    }

    /// The database, if it is open.
    pub fn database(&self) -> Option<&Arc<dyn Database>> {
        self.open.as_ref().map(|open| &open.database)
    }

    /// Folds the log into the image and closes it; false when something is in the way, and it stays open.
    /// Nobody may be inside, and all commits must have been taken.
    ///
    /// # Errors
    /// As the engine's own.
    pub async fn cool(&mut self) -> Result<bool, EngineError> {
        let Some(database) = self.database().cloned() else { return Ok(true) };
        let folded = self.world.workers.run(move || database.checkpoint()).await?;
        match folded {
            Checkpoint::Done => self.close().await.map(|()| true),
            Checkpoint::Busy => Ok(false),
        }
    }

    /// Closes it as it is. Nobody may be inside.
    ///
    /// # Errors
    /// As the engine's own.
    pub async fn close(&mut self) -> Result<(), EngineError> {
        let Some(Open { database, .. }) = self.open.take() else { return Ok(()) };
        self.world.workers.run(move || database.close()).await
    }

    /// Where the image is.
    pub fn image(&self) -> &Path {
        &self.image
    }
}

/// One of the open copies.
struct Counted(Arc<World>);

impl Counted {
    fn new(world: &Arc<World>) -> Self {
        world.open_copies.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(world))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open_copies.fetch_sub(1, Ordering::Relaxed);
    }
}
