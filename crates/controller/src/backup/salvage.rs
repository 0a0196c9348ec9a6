//! The map of a controller that is not running: its snapshot, and every entry of its log.
//!
//! The log may end with entries that were never committed. They are applied all the same: what a survivor has may be
//! all that is left of a change that was acknowledged, and a change that nobody was promised does no harm.

use std::path::Path;

use model::{Fleet, Revision};
use openraft::EntryPayload;

use super::{Backup, BackupError};
use crate::{
    machine::image,
    raft::{LogEntry, SnapshotMeta, StoredMembership},
    store::{Disk as _, Identity, SledDisk, StoreError},
};

impl Backup {
    /// Makes a backup of a data directory. No controller may run on it. It is left as it is.
    ///
    /// # Errors
    /// [`BackupError::NoData`], or [`BackupError::Store`] when it is in use, damaged, or has lost something.
    pub async fn of_directory(dir: &Path) -> Result<Self, BackupError> {
        let Some(identity) = Identity::read(dir)? else {
            return Err(BackupError::NoData { path: dir.into() });
        };
        let disk = SledDisk::open(dir.into(), identity.controller, true).await?;
        let read = read(&disk).await;
        disk.close().await;
        read
    }
}

async fn read(disk: &SledDisk) -> Result<Backup, BackupError> {
    let path = disk.path().to_path_buf();
    let loaded = disk.load().await?;
    let bytes = disk.image().await.map_err(StoreError::io("read the snapshot in", &path))?;
    let mut backup = match bytes {
        Some(bytes) => {
            let (meta, fleet) =
                image::decode(&bytes).map_err(|error| error.into_store_error(path.clone()))?;
            Backup { meta, fleet }
        }
        None => Backup { meta: SnapshotMeta::default(), fleet: Fleet::default() },
    };
    if backup.meta.last_log_id < loaded.purged {
        return Err(StoreError::Lost { path, reason: "its snapshot is gone".into() }.into());
    }
    loaded.entries.iter().for_each(|entry| backup.apply(entry));
    Ok(backup)
}

impl Backup {
    fn apply(&mut self, entry: &LogEntry) {
        let revision = Revision(entry.log_id.index);
        let had = self.meta.last_log_id.is_some_and(|last| entry.log_id.index <= last.index);
        if had {
            return;
        }
        self.meta.last_log_id = Some(entry.log_id);
        match &entry.payload {
            EntryPayload::Normal(proposal) => {
                // A rejection is an answer to whoever proposed it; the map goes on.
                let _answer = self.fleet.apply(revision, proposal.entry());
            }
            EntryPayload::Blank if revision > Revision(0) => self.fleet.advance(revision),
            EntryPayload::Blank => {}
            EntryPayload::Membership(members) => {
                if revision > Revision(0) {
                    self.fleet.advance(revision);
                }
                self.meta.last_membership = StoredMembership::new(Some(entry.log_id), members.clone());
            }
        }
    }
}
