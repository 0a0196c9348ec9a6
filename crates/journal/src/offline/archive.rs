//! A place with journals, to look at: nothing is made or tested there, and several fleets may share it.

use std::{io, sync::Arc};

use model::{FleetId, Incarnation};

use crate::{Local, ObjectError, Objects, Patience, Place, Store, StoreError, Threads, objects::Key};

/// A place with the journals of any number of fleets.
#[derive(Clone, Debug)]
pub struct Archive {
    objects: Arc<dyn Objects>,
}

impl Archive {
    /// The journals at a place, which must be there. A program without the right to write there can read them.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn at(place: &str) -> Result<Self, StoreError> {
        let dir = match Place::of(place)? {
            Place::Url(url) => return Ok(Self { objects: crate::store::cloud(url)? }),
            Place::Directory(dir) => dir.to_path_buf(),
        };
        let path = dir.clone();
        let opened = Threads::Pool.run(move || {
            if !path.metadata()?.is_dir() {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Local::to_read(&path, Threads::Pool)
        });
        let local = opened.await.map_err(|source| StoreError::Directory { dir, source })?;
        Ok(Self { objects: Arc::new(local) })
    }

    /// The fleets that have a folder here, sorted.
    ///
    /// # Errors
    /// When the place cannot be listed.
    pub async fn fleets(&self) -> Result<Vec<FleetId>, ObjectError> {
        let names = self.objects.folders(&Key::root()).await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// A fleet's journals. `process` is who writes, should somebody write after all.
    pub fn of(&self, fleet: FleetId, process: Incarnation) -> Store {
        Store::with(Arc::clone(&self.objects), fleet, process, Patience::default(), Threads::Pool)
    }
}
