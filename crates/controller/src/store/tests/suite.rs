//! openraft's own tests of a log store and a state machine (C1).

use std::sync::Arc;

use openraft::{StorageError, testing::log::StoreBuilder, testing::log::Suite};
use tempfile::TempDir;

use super::{open_disk, temp};
use crate::{
    blocking::Worker,
    machine::Machine,
    raft::TypeConfig,
    store::{Disk, Log},
};

struct Builder;

impl StoreBuilder<TypeConfig, Log, Machine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, Log, Machine), StorageError<TypeConfig>> {
        let dir = temp();
        let disk: Arc<dyn Disk> = open_disk(dir.path()).await.expect("an empty directory");
        let (log, writing) = Log::open(disk.clone()).await.expect("an empty log");
        tokio::spawn(writing);
        let machine =
            Machine::open(disk, Arc::new(Worker::here("calculator", ()))).await.expect("no snapshot");
        Ok((dir, log, machine))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_passes_openrafts_own_suite() {
    Suite::test_all(Builder).await.expect("every test of the suite");
}
