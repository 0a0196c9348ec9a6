//! From committed locally to durable: takes what sessions committed, appends it to the journal, raises the watermark.
//!
//! One group is on its way at a time; whatever is committed meanwhile becomes the next. Nothing here acknowledges
//! anything: sessions hold their own bytes until the watermark has passed what they depend on.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use journal::{AppendError, Effect, Group, Writer, policy::linger};
use tokio::time::Instant;

use super::{World, resident::Resident};
use crate::{
    answers::Ending,
    engine::{Capture, Checkpoint, CommitSeq, Database, EngineError},
    limits::CHECKPOINT_BYTES,
    measures,
};

/// The owner's means to make commits durable.
pub struct Committer {
    pub world: Arc<World>,
    pub resident: Arc<Resident>,
    pub database: Arc<dyn Database>,
    pub writer: Writer,
    /// Everything up to here is in the journal.
    pub through: CommitSeq,
    /// How long the last append took.
    pub last_append: Duration,
    /// The image as the engine made it, while the journal is empty: the first group carries all of it, so that the
    /// journal alone, whatever engine wrote it, gives the whole image.
    pub genesis: Option<Vec<u8>>,
}

/// Why commits cannot be made durable any more.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The journal did not take them.
    #[error("the journal did not take a commit")]
    Append(#[from] AppendError),
    /// The engine could not give its pages.
    #[error("the engine could not hand over what it committed")]
    Engine(#[from] EngineError),
}

impl CommitError {
    /// What those are told who wait for these commits.
    pub fn ending(&self, resident: &Resident) -> Ending {
        let absent = Ending::NotOwner { epoch: Some(resident.epoch) };
        match self {
            Self::Append(error) => match error.effect() {
                Effect::None => absent,
                Effect::Unknown => Ending::Unknown,
            },
            // The pages never left this process.
            Self::Engine(_) => absent,
        }
    }
}

impl Committer {
    /// Makes everything durable that was committed by now.
    pub async fn commit(&mut self) -> Result<(), CommitError> {
        while self.database.committed() > self.through {
            self.gather().await;
            let database = Arc::clone(&self.database);
            let Some(capture) = self.world.workers.run(move || database.take()).await? else { break };
            self.append(capture).await?;
            self.maintain().await;
        }
        Ok(())
    }

    /// Lets others share the next put.
    async fn gather(&self) {
        let pause = linger(self.last_append, self.resident.waiting());
        if pause > Duration::ZERO {
            tokio::time::sleep(pause).await;
        }
    }

    async fn append(&mut self, mut capture: Capture) -> Result<(), CommitError> {
        let started = Instant::now();
        let through = capture.through;
        let transactions = through.0 + 1 - capture.first.0;
        // Commits that changed nothing have nothing to be replayed.
        if !capture.pages.is_empty() {
            if let Some(image) = &self.genesis {
                complete(&mut capture, image);
            }
            let bytes = capture.pages.iter().map(|(_, page)| page.len() as u64).sum();
            self.writer.append(self.group(capture, transactions)).await?;
            self.genesis = None;
            self.last_append = started.elapsed();
            measures::appended(self.last_append, transactions, bytes);
        }
        self.through = through;
        self.resident.raise(through);
        Ok(())
    }

    fn group(&self, capture: Capture, transactions: u64) -> Group {
        Group {
            page_size: capture.page_size,
            image_pages: capture.db_pages,
            pages: capture.pages,
            transactions: u32::try_from(transactions).unwrap_or(u32::MAX),
            outcomes: Vec::new(),
            at: (self.world.clock)(),
        }
    }

    /// What keeps loads short and the local log small. Failing is no harm: it is due again after the next commit.
    async fn maintain(&mut self) {
        if self.writer.snapshot_due() {
            self.snapshot().await;
        }
        if self.database.log_bytes() > CHECKPOINT_BYTES {
            let database = Arc::clone(&self.database);
            match self.world.workers.run(move || database.checkpoint()).await {
                Ok(Checkpoint::Done | Checkpoint::Busy) => {}
                Err(error) => tracing::warn!(database = %self.resident.id, %error, "checkpoint failed"),
            }
        }
    }

    /// Puts an image of exactly the journal's last position into the store.
    pub async fn snapshot(&mut self) {
        let path = self.world.snapshot_path(&self.resident);
        let (database, to) = (Arc::clone(&self.database), path.clone());
        let written = self.world.workers.run(move || database.write_image(&to)).await;
        let taken = match written {
            // The image holds what was taken, and all that was taken is in the journal.
            Ok(through) if through == self.through => {
                self.writer.snapshot(&path).await.map_err(|e| e.to_string())
            }
            Ok(through) => Err(format!("the image is of commit {}, not {}", through.0, self.through.0)),
            Err(error) => Err(error.to_string()),
        };
        match taken {
            Ok(taken) => measures::snapshot_taken(taken.size),
            Err(reason) => tracing::warn!(database = %self.resident.id, reason, "no snapshot was taken"),
        }
        let remove = move || std::fs::remove_file(&path);
        if let Err(error) = self.world.workers.run(remove).await {
            tracing::debug!(database = %self.resident.id, %error, "no snapshot file to remove");
        }
    }
}

/// Adds the pages of `image` that the capture does not have.
fn complete(capture: &mut Capture, image: &[u8]) {
    let size = capture.page_size as usize;
    let old = (1..=capture.db_pages).zip(image.chunks_exact(size));
    let changed: BTreeSet<u32> = capture.pages.iter().map(|(number, _)| *number).collect();
    let missing = old.filter(|(number, _)| !changed.contains(number));
    capture.pages.extend(missing.map(|(number, page)| (number, Bytes::copy_from_slice(page))));
    capture.pages.sort_by_key(|(number, _)| *number);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_carries_the_whole_image() {
        let page = |byte: u8| Bytes::from(vec![byte; 4]);
        let mut capture = Capture {
            through: CommitSeq(1),
            first: CommitSeq(1),
            page_size: 4,
            db_pages: 3,
            pages: vec![(2, page(9)), (3, page(8))],
        };
        complete(&mut capture, &[1, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(capture.pages, [(1, page(1)), (2, page(9)), (3, page(8))]);
    }
}
