//! Making, taking over and handing out snapshots. The newest wins.

use std::{
    io,
    sync::{Arc, Mutex as StdMutex},
};

use model::Fleet;
use openraft::RaftSnapshotBuilder;
use tokio::sync::Mutex;

use super::image::{self, Image};
use crate::{
    meter,
    raft::{Snapshot, SnapshotMeta, TypeConfig},
    store::Disk,
};

/// The newest snapshot of this controller.
#[derive(Clone)]
pub struct Snapshots {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    newest: StdMutex<Option<SnapshotMeta>>,
    /// Held while one is written, so that an older one never takes a newer one's place.
    writing: Mutex<()>,
}

/// Makes one snapshot of the map as it was.
pub struct Builder {
    shared: Arc<Shared>,
    meta: SnapshotMeta,
    fleet: Fleet,
}

impl Snapshots {
    /// With what the disk held at the start.
    pub fn new(disk: Arc<dyn Disk>, newest: Option<SnapshotMeta>) -> Self {
        let newest = StdMutex::new(newest);
        Self { shared: Arc::new(Shared { disk, newest, writing: Mutex::new(()) }) }
    }

    /// What the newest is a snapshot of.
    pub fn newest(&self) -> Option<SnapshotMeta> {
        self.shared.newest()
    }

    /// A handle on the newest.
    pub fn current(&self) -> Option<Snapshot> {
        self.newest().map(|meta| self.shared.handle(meta))
    }

    /// Will make one.
    pub fn builder(&self, meta: SnapshotMeta, fleet: Fleet) -> Builder {
        Builder { shared: self.shared.clone(), meta, fleet }
    }

    /// Keeps one that a leader sent.
    pub async fn install(&self, meta: SnapshotMeta, bytes: Arc<Vec<u8>>) -> io::Result<()> {
        self.shared.put(meta, Box::new(move |file| file.write_all(&bytes))).await
    }
}

impl Shared {
    fn newest(&self) -> Option<SnapshotMeta> {
        self.newest.lock().expect("BUG: nothing panics while holding this lock").clone()
    }

    fn handle(&self, meta: SnapshotMeta) -> Snapshot {
        Snapshot { meta: meta.clone(), snapshot: Image::on_disk(meta, self.disk.clone()) }
    }

    async fn put(&self, meta: SnapshotMeta, encode: crate::store::Encode) -> io::Result<()> {
        let _writing = self.writing.lock().await;
        if self.newest().is_some_and(|newest| newest.last_log_id >= meta.last_log_id) {
            return Ok(());
        }
        self.disk.put_image(encode).await?;
        *self.newest.lock().expect("BUG: nothing panics while holding this lock") = Some(meta);
        Ok(())
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = Image;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let began = tokio::time::Instant::now();
        let (meta, fleet) = (self.meta.clone(), std::mem::take(&mut self.fleet));
        self.shared.put(meta.clone(), Box::new(move |file| image::write(&meta, &fleet, file))).await?;
        meter::snapshot_made(began.elapsed());
        tracing::debug!(took_us = began.elapsed().as_micros(), upto = ?self.meta.last_log_id, "snapshot made");
        Ok(self.shared.handle(self.meta.clone()))
    }
}
