//! The whole store on a real directory: openraft's own suite, restarts, and every kind of loss.

mod crash;
mod growth;
mod losses;
mod shared_values;
mod suite;

use std::{io, ops::RangeInclusive, path::Path, sync::Arc};

use model::ControllerId;
use openraft::{EntryPayload, storage::RaftLogStorage, type_config::TypeConfigExt};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{Disk, Log, SledDisk, StoreError, codec};
use crate::raft::{LogEntry, TypeConfig};

const ID: ControllerId = ControllerId(1);

/// An open data directory with its log.
struct Store {
    disk: Arc<SledDisk>,
    log: Log,
    writer: JoinHandle<()>,
}

async fn open_disk(dir: &Path) -> Result<Arc<SledDisk>, StoreError> {
    SledDisk::open(dir.into(), ID, true).await.map(Arc::new)
}

async fn open(dir: &Path) -> Result<Store, StoreError> {
    let disk = open_disk(dir).await?;
    match Log::open(disk.clone()).await {
        Ok((log, writing)) => Ok(Store { disk, log, writer: tokio::spawn(writing) }),
        Err(error) => {
            disk.close().await;
            Err(error)
        }
    }
}

impl Store {
    /// Writes what is queued and lets go of the directory.
    async fn close(self) {
        drop(self.log);
        self.writer.await.expect("the writer does not panic");
        self.disk.close().await;
    }

    /// Appends empty entries of one term and waits until they are durable.
    async fn append(&mut self, term: u64, indices: RangeInclusive<u64>) {
        self.try_append(term, indices).await.expect("a disk that works");
    }

    /// The same, on a disk that fails.
    async fn append_in_vain(&mut self, term: u64, indices: RangeInclusive<u64>) {
        self.try_append(term, indices).await.expect_err("a disk that fails");
    }

    async fn try_append(&mut self, term: u64, indices: RangeInclusive<u64>) -> io::Result<()> {
        let entries: Vec<LogEntry> = indices
            .map(|index| LogEntry { log_id: codec::log_id(term, 1, index), payload: EntryPayload::Blank })
            .collect();
        let (done, durable) = TypeConfig::oneshot();
        let callback = openraft::storage::IOFlushed::signal(done);
        self.log.append(entries, callback).await.expect("an open log");
        durable.await.expect("the writer answers")
    }

    async fn last(&mut self) -> Option<u64> {
        self.log.get_log_state().await.expect("in memory").last_log_id.map(|id| id.index)
    }
}

fn temp() -> TempDir {
    tempfile::tempdir().expect("a directory")
}
