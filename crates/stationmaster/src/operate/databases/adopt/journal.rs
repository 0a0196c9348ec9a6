//! A journal that is there, and unknown to the map: of a database that was made after the backup that the map came from.

use anyhow::{bail, ensure};
use journal::{OfflineError, Store, To};
use model::{DatabaseId, Name};
use server::engine::sqlite::image;

use super::{Adopting, Did};
use crate::offline::{Scratch, Unwritten, written};

impl Adopting<'_> {
    /// Gives a journal its database back, if what is in it is sound.
    pub(super) async fn journal(&self, id: DatabaseId, name: &Name) -> anyhow::Result<Did> {
        if let Some(known) = self.fleet.database(id) {
            ensure!(known.name == *name, "it is a database already, and its name is \"{}\"", known.name);
            return Ok(Did { id: Some(id), bytes: None, what: "was there already" });
        }
        self.free(name)?;
        let epoch = self.store.restore(id, To::Newest).await?.state().epoch;
        let scratch = Scratch::new()?;
        let path = scratch.path().join("image");
        let bytes = match written(&self.store, id, To::Newest, &path).await {
            Ok(None) => 0,
            Ok(Some(_)) => {
                let checked = path.clone();
                let found = tokio::task::spawn_blocking(move || image::check(&checked)).await??;
                ensure!(
                    found.is_empty(),
                    "its newest image fails SQLite's integrity check ({}); was adopting it broken off? \
                     Then adopt the file again",
                    found.join("; ")
                );
                path.metadata()?.len()
            }
            Err(Unwritten::Damaged(damaged)) => bail!(damaged),
            Err(Unwritten::Failed(error)) => return Err(error),
        };
        if self.dry_run {
            return Ok(Did { id: Some(id), bytes: Some(bytes), what: "would be adopted" });
        }
        self.publish(id, name, epoch).await?;
        Ok(Did { id: Some(id), bytes: Some(bytes), what: "adopted" })
    }
}

/// Whether a journal is what is left of a dropped database.
pub(super) async fn was_dropped(store: &Store, id: DatabaseId) -> anyhow::Result<bool> {
    match store.restore(id, To::Newest).await {
        Err(OfflineError::Dropped { .. } | OfflineError::NoJournal { .. }) => Ok(true),
        Err(OfflineError::Store { database, source }) => Err(OfflineError::Store { database, source }.into()),
        // What cannot be read is told of when it is adopted.
        Ok(_) | Err(OfflineError::Damaged(_) | OfflineError::OutOfReach { .. }) => Ok(false),
    }
}
