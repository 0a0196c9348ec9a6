//! The state machine: the map in memory, changed by committed entries and by nothing else.
//!
//! A restart begins with the newest snapshot and applies the log after it. A snapshot is a clone of the map, which
//! shares structure, encoded on a thread of its own while entries go on being applied.

pub mod image;
mod snapshots;
mod tally;
mod view;

use std::{io, sync::Arc};

use futures::StreamExt as _;
use openraft::{
    EntryPayload, OptionalSend,
    storage::{EntryResponder, RaftStateMachine},
};

pub use image::{Image, ImageError};
pub use snapshots::Builder;
use snapshots::Snapshots;
pub use tally::{Fallen, Tally};
pub use view::{State, View};

use crate::{
    blocking::Worker,
    limits::APPLY_ENTRIES_MAX,
    meter,
    raft::{Applied, LogEntry, LogId, Snapshot, SnapshotMeta, StoredMembership, TypeConfig},
    store::{Disk, StoreError},
};

/// Applies entries. Owned by openraft; everybody else reads through a [`View`].
pub struct Machine {
    view: View,
    applied: Option<LogId>,
    members: StoredMembership,
    snapshots: Snapshots,
    /// Reads whole maps, which takes seconds of millions of databases.
    calculator: Arc<Worker<()>>,
}

impl Machine {
    /// Starts with the newest snapshot of this disk, or empty when there never was one.
    ///
    /// # Errors
    /// [`StoreError`] when the snapshot is damaged or from a later release.
    pub async fn open(disk: Arc<dyn Disk>, calculator: Arc<Worker<()>>) -> Result<Self, StoreError> {
        let path = disk.path().to_path_buf();
        let bytes = disk.image().await.map_err(StoreError::io("read the snapshot in", &path))?;
        let Some(bytes) = bytes else {
            return Ok(Self {
                view: View::default(),
                applied: None,
                members: StoredMembership::default(),
                snapshots: Snapshots::new(disk, None),
                calculator,
            });
        };
        let read = calculator.call(move |()| read(&bytes)).await;
        let read = read.map_err(|gone| StoreError::io("read the snapshot in", &path)(gone.into()))?;
        let (meta, state) = read.map_err(|error| error.into_store_error(path))?;
        let view = View::default();
        drop(view.replace(state));
        Ok(Self {
            view,
            applied: meta.last_log_id,
            members: meta.last_membership.clone(),
            snapshots: Snapshots::new(disk, Some(meta)),
            calculator,
        })
    }

    /// A way to read the map.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// The last entry that the newest snapshot holds.
    pub fn snapshot_last(&self) -> Option<LogId> {
        self.snapshots.newest().and_then(|meta| meta.last_log_id)
    }

    fn apply_all(&mut self, entries: &[LogEntry]) -> io::Result<Vec<Applied>> {
        let results = self.view.apply(entries)?;
        for entry in entries {
            self.applied = Some(entry.log_id);
            if let EntryPayload::Membership(members) = &entry.payload {
                self.members = StoredMembership::new(Some(entry.log_id), members.clone());
            }
        }
        meter::applied(entries, &results);
        Ok(results)
    }
}

/// A snapshot's map, with what is counted along with it.
fn read(bytes: &[u8]) -> Result<(SnapshotMeta, State), ImageError> {
    let (meta, fleet) = image::decode(bytes)?;
    Ok((meta, State::of(fleet)))
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = Image;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.applied, self.members.clone()))
    }

    async fn apply<S>(&mut self, entries: S) -> Result<(), io::Error>
    where
        S: futures::Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut entries = entries.ready_chunks(APPLY_ENTRIES_MAX);
        while let Some(chunk) = entries.next().await {
            let chunk: Result<Vec<EntryResponder<TypeConfig>>, io::Error> = chunk.into_iter().collect();
            let (entries, responders): (Vec<_>, Vec<_>) = chunk?.into_iter().unzip();
            let results = self.apply_all(&entries)?;
            for (responder, result) in responders.into_iter().zip(results) {
                if let Some(responder) = responder {
                    responder.send(result);
                }
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        let meta = SnapshotMeta { last_log_id: self.applied, last_membership: self.members.clone() };
        self.snapshots.builder(meta, self.view.read(|state| state.fleet().clone()))
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: Image) -> Result<(), io::Error> {
        let bytes = snapshot.bytes().await?;
        // Its bytes are to be held once, not twice.
        drop(snapshot);
        let arrived = bytes.clone();
        let read = self.calculator.call(move |()| read(&arrived)).await?;
        let (found, state) = read.map_err(io::Error::other)?;
        self.snapshots.install(found.clone(), bytes).await?;
        tracing::info!(upto = ?found.last_log_id, asked = ?meta.last_log_id, "snapshot installed");
        let before = self.view.replace(state);
        self.applied = found.last_log_id;
        self.members = found.last_membership;
        // To let go of a large map takes long as well.
        self.calculator.call(move |()| drop(before)).await?;
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        Ok(self.snapshots.current())
    }
}
