//! The queue for a database's one writer.
//!
//! SQLite lets one transaction write at a time. Sessions wait here, in order and without a thread, rather than in SQLite's
//! busy handler, where they would hold a worker each and starve the writer itself.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A fair queue of one permit. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct WriterQueue(Arc<Semaphore>);

/// The right to write, until dropped.
#[derive(Debug)]
pub struct WriterPermit(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl WriterQueue {
    /// A free queue.
    #[expect(clippy::new_without_default, reason = "a queue belongs to one database, never to a default")]
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// The permit if nobody has it and nobody waits for it.
    pub fn try_acquire(&self) -> Option<WriterPermit> {
        Arc::clone(&self.0).try_acquire_owned().ok().map(WriterPermit)
    }

    /// Waits in order for the permit. Cancel-safe: a dropped wait leaves the queue.
    pub async fn acquire(&self) -> WriterPermit {
        WriterPermit(Arc::clone(&self.0).acquire_owned().await.expect("BUG: the queue is never closed"))
    }
}
