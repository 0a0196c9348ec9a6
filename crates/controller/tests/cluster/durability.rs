//! What the disk is asked to do: many changes share a sync (C4).

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use controller::{Disk, Encode, Loaded, SledDisk, StoreError, Worker, Write, run_on};
use futures::future::join_all;
use model::{FleetId, RequestId};
use rpc::controller::Operation;

use crate::fleet::Fleet;

/// A real disk that counts.
struct Counting {
    disk: SledDisk,
    batches: AtomicU64,
    appended: AtomicU64,
}

#[async_trait]
impl Disk for Counting {
    async fn load(&self) -> Result<Loaded, StoreError> {
        self.disk.load().await
    }

    async fn write(&self, batch: Vec<Write>) -> io::Result<()> {
        let entries = batch.iter().map(|write| match write {
            Write::Append(entries) => entries.len() as u64,
            Write::Vote(_) | Write::Truncate { .. } | Write::Purge { .. } | Write::Committed(_) => 0,
        });
        let entries: u64 = entries.sum();
        if entries > 0 {
            self.batches.fetch_add(1, Ordering::Relaxed);
            self.appended.fetch_add(entries, Ordering::Relaxed);
        }
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

#[tokio::test]
async fn sixty_four_writers_share_their_syncs() {
    let mut fleet = Fleet::stopped(1, |_| ());
    let settings = fleet.settings(1);
    let disk = SledDisk::open(settings.data_dir.clone(), settings.id, true).await.expect("a new directory");
    let disk = Arc::new(Counting { disk, batches: AtomicU64::new(0), appended: AtomicU64::new(0) });
    let counted = disk.clone();
    fleet.run_with(1, move |settings, host, listener| async move {
        run_on(settings, host, listener, counted, Worker::here("digest", ())).await
    });
    fleet.leader().await;
    let client = fleet.raw(1).await;
    let before = (disk.batches.load(Ordering::Relaxed), disk.appended.load(Ordering::Relaxed));
    let writers = (0..64).map(|writer| {
        let (client, fleet) = (client.clone(), &fleet);
        async move {
            for number in 0..10 {
                let name = format!("db{writer}-{number}");
                let create = Operation::CreateDatabase { name, key: fleet.key() };
                let made = client.operate(rpc::context(), RequestId(1), create).await;
                made.expect("it answers").expect("a free name");
            }
        }
    });
    join_all(writers).await;
    let batches = disk.batches.load(Ordering::Relaxed) - before.0;
    let appended = disk.appended.load(Ordering::Relaxed) - before.1;
    assert!(appended >= 640);
    assert!(batches * 4 < appended, "{appended} entries took {batches} syncs");
    fleet.stop(1).await;
}
