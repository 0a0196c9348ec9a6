//! Disks that can be held, so that they do not finish a write.

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use async_trait::async_trait;
use controller::{Disk, Encode, Loaded, Settings, SledDisk, StoreError, Worker, Write, run_on};
use model::FleetId;
use tokio::sync::watch;

use crate::fleet::Fleet;

/// A real disk, whose writes wait while it is held.
struct Holding {
    disk: SledDisk,
    held: watch::Receiver<bool>,
}

#[async_trait]
impl Disk for Holding {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.disk.load().await
    }

    async fn write(&self, batch: Vec<Write>) -> io::Result<()> {
        let mut held = self.held.clone();
        held.wait_for(|held| !held).await.map_err(io::Error::other)?;
        self.disk.write(batch).await
    }

    async fn put_image(&self, encode: Encode) -> io::Result<()> {
        self.disk.put_image(encode).await
    }

    async fn image(&self) -> io::Result<Option<Vec<u8>>> {
        self.disk.image().await
    }

    async fn belong_to(&self, fleet: FleetId) -> Result<(), StoreError> {
        self.disk.belong_to(fleet).await
    }

    async fn is_joining(&self) -> bool {
        self.disk.is_joining().await
    }

    async fn admit(&self) -> Result<(), StoreError> {
        self.disk.admit().await
    }

    fn path(&self) -> &Path {
        self.disk.path()
    }
}

/// Three controllers, and the hands on their disks: `true` holds one.
pub async fn fleet(tune: fn(&mut Settings)) -> (Fleet, BTreeMap<u64, watch::Sender<bool>>) {
    let mut fleet = Fleet::stopped(3, tune);
    let mut hands = BTreeMap::new();
    for id in 1..=3 {
        let settings = fleet.settings(id);
        let disk = SledDisk::open(settings.data_dir.clone(), settings.id, true).await;
        let (hand, held) = watch::channel(false);
        let disk = Arc::new(Holding { disk: disk.expect("a new directory"), held });
        fleet.run_with(id, move |settings, host, listener| async move {
            run_on(settings, host, listener, disk, Worker::here("digest", ())).await
        });
        hands.insert(id, hand);
    }
    fleet.leader().await;
    (fleet, hands)
}
