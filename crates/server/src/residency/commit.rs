//! From committed locally to durable: takes what sessions committed, appends it to the journal, raises the watermark.
//!
//! One group is on its way at a time; whatever is committed meanwhile becomes the next. Nothing here acknowledges
//! anything: sessions hold their own bytes until the watermark has passed what they depend on.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use journal::{AppendError, Effect, Group, Writer};
use tokio::time::{Instant, sleep, timeout_at};

use super::{World, copy::WorkingCopy, gathering::Gathering, resident::Resident, snapshots::Snapshots};
use crate::{
    answers::Ending,
    engine::{Capture, Checkpoint, CommitSeq, EngineError},
    limits::{CHECKPOINT_BYTES, PROBE_PAUSE, TAKE_INLINE_BYTES},
    measures,
};

/// The owner's means to make commits durable.
pub struct Committer {
    pub world: Arc<World>,
    pub resident: Arc<Resident>,
    pub copy: WorkingCopy,
    pub writer: Writer,
    /// Everything up to here is in the journal. Counts from the opening of the copy.
    pub through: CommitSeq,
    /// Whom to wait for.
    pub gathering: Gathering,
    /// The image as the engine made it, while the journal is empty: the first group carries all of it, so that the
    /// journal alone, whatever engine wrote it, gives the whole image.
    pub genesis: Option<Vec<u8>>,
    /// The snapshot under way.
    pub snapshots: Snapshots,
}

/// Why commits cannot be made durable any more.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The journal did not take them.
    #[error("the journal did not take a commit")]
    Append(#[from] AppendError),
    /// The journal was found to be another owner's.
    #[error("another owner has fenced the journal")]
    Superseded,
    /// The engine could not give its pages.
    #[error("the engine could not hand over what it committed")]
    Engine(#[from] EngineError),
}

impl CommitError {
    /// What those are told who wait for these commits.
    pub fn ending(&self, resident: &Resident) -> Ending {
        let absent = Ending::NotOwner { epoch: Some(resident.epoch) };
        match self {
            Self::Append(AppendError::Refused { .. }) => Ending::TooLarge,
            Self::Append(error) => match error.effect() {
                Effect::None => absent,
                Effect::Unknown => Ending::Unknown,
            },
            // Nothing of it ever left this process.
            Self::Engine(_) | Self::Superseded => absent,
        }
    }
}

impl Committer {
    /// Opens the working copy for those who wait for it.
    pub async fn warm(&mut self) -> Result<(), EngineError> {
        let database = self.copy.open().await?;
        self.through = CommitSeq::default();
        self.resident.warmed(database, self.through, self.writer.state().position);
        Ok(())
    }

    /// Closes the working copy, which nobody uses; the resident says so already.
    pub async fn cool(&mut self) -> Result<(), EngineError> {
        if !self.copy.cool().await?
            && let Some(database) = self.copy.database()
        {
            let position = self.writer.state().position;
            self.resident.warmed(Arc::clone(database), self.through, position);
        }
        Ok(())
    }

    /// Makes everything durable that was committed by now.
    async fn commit(&mut self) -> Result<(), CommitError> {
        while self.pending() > 0 {
            self.gather().await;
            let Some(database) = self.copy.database().cloned() else { break };
            let taken = if database.untaken_bytes() <= TAKE_INLINE_BYTES {
                database.take()
            } else {
                self.world.workers.run(move || database.take()).await
            };
            let Some(capture) = taken? else { break };
            self.append(capture).await?;
            self.answer();
            self.maintain().await;
        }
        self.answer();
        Ok(())
    }

    /// Answers what was asked about requests. Whoever asks has waited until what it asks about is in the journal.
    fn answer(&self) {
        self.resident.questions.answer(&self.writer.state().outcomes);
    }

    /// Does what sessions wait for.
    pub async fn commit_and_prove(&mut self) -> Result<(), CommitError> {
        self.commit().await?;
        self.prove().await
    }

    /// Proves to those who asked that nobody else owned the database when they did.
    async fn prove(&mut self) -> Result<(), CommitError> {
        let Some(asked) = self.resident.asked() else { return Ok(()) };
        let proven = self.writer.probe().await;
        measures::probe(&proven);
        match proven {
            Ok(true) => self.resident.proven(asked),
            Ok(false) => return Err(CommitError::Superseded),
            Err(error) => {
                tracing::warn!(
                    reason = crate::chain(&error),
                    "cannot prove ownership, and the lease is over"
                );
                sleep(PROBE_PAUSE).await;
                self.resident.wake();
            }
        }
        Ok(())
    }

    /// Lets others share the next put.
    async fn gather(&mut self) {
        let Some((wanted, time)) = self.gathering.wait(self.pending()) else { return };
        let end = Instant::now() + time;
        while self.pending() < wanted {
            // Waking is for the owner; whatever else it was about is looked at after this commit.
            if timeout_at(end, self.resident.woken()).await.is_err() {
                return self.gathering.waited(false);
            }
        }
        self.gathering.waited(true);
    }

    /// Commits that are not in the journal.
    fn pending(&self) -> u64 {
        self.copy.database().map_or(0, |database| database.committed().0 - self.through.0)
    }

    async fn append(&mut self, mut capture: Capture) -> Result<(), CommitError> {
        let started = Instant::now();
        let through = capture.through;
        let transactions = through.0 + 1 - capture.first.0;
        // Commits that changed nothing have nothing to be replayed, and their requests can be done again.
        if !capture.pages.is_empty() {
            if let Some(image) = &self.genesis {
                complete(&mut capture, image);
            }
            let bytes = capture.pages.iter().map(|(_, page)| page.len() as u64).sum();
            let group = self.group(capture, transactions);
            if let Err(error) = self.writer.append(group).await {
                self.insist(error).await?;
            }
            self.genesis = None;
            let took = started.elapsed();
            self.gathering.put(transactions, took);
            self.world.vitals.appended(took);
            measures::appended(took, transactions, bytes);
        }
        self.through = through;
        self.resident.raise(through, self.writer.state().position);
        Ok(())
    }

    /// A commit is not settled: sessions wait, and it is tried again with the same bytes, until the store has taken it, or
    /// another owner has its place, or the database has to be left. So a store that comes back finds everything as it was.
    async fn insist(&mut self, mut error: AppendError) -> Result<(), AppendError> {
        while error.may_resume() {
            measures::stalled();
            self.world.environment.journal_failed();
            tracing::warn!(reason = crate::chain(&error), "a commit waits for the journal's store");
            error = tokio::select! {
                biased;
                resumed = self.writer.resume() => match resumed {
                    Ok(_) => return Ok(()),
                    Err(error) => error,
                },
                () = self.resident.overdue() => return Err(error.given_up()),
            };
        }
        Err(error)
    }

    fn group(&self, capture: Capture, transactions: u64) -> Group {
        Group {
            page_size: capture.page_size,
            image_pages: capture.db_pages,
            pages: capture.pages,
            transactions: u32::try_from(transactions).unwrap_or(u32::MAX),
            outcomes: capture.outcomes,
            at: (self.world.clock)(),
        }
    }

    /// What keeps loads short and the local log small. Failing is no harm: it is due again after the next commit.
    async fn maintain(&mut self) {
        self.snapshots.settle(&self.world, &mut self.writer, false).await;
        if self.writer.snapshot_due() && self.snapshots.may_begin(Instant::now()) {
            self.begin_snapshot().await;
        }
        if self.copy.database().is_some_and(|database| database.log_bytes() > CHECKPOINT_BYTES) {
            self.checkpoint().await;
        }
    }

    /// Folds the log beside the image into the image, if nobody is in the way.
    pub async fn checkpoint(&mut self) {
        let Some(database) = self.copy.database().cloned() else { return };
        match self.world.workers.run(move || database.checkpoint()).await {
            Ok(Checkpoint::Done | Checkpoint::Busy) => {}
            Err(error) => tracing::warn!(%error, "checkpoint failed"),
        }
    }

    /// Copies the image, which commits wait for, and has it stored, which they do not.
    async fn begin_snapshot(&mut self) {
        let Some(database) = self.copy.database().cloned() else { return };
        let path = self.copy.image().with_file_name("snapshot");
        let (draft, to) = (self.writer.snapshot_draft(), path.clone());
        match self.world.workers.run(move || database.write_image(&to)).await {
            // The image holds what was taken, and all that was taken is in the journal.
            Ok(through) if through == self.through => {
                self.snapshots.begin(&self.world, draft, path);
            }
            Ok(through) => {
                let (image, journal) = (through.0, self.through.0);
                tracing::error!(
                    image,
                    journal,
                    "the image is of another commit than the journal; no snapshot"
                );
            }
            Err(error) => tracing::warn!(%error, "no image for a snapshot"),
        }
    }

    /// Appends everything, takes the snapshot that spares the next load its work, and seals the journal.
    pub async fn seal(&mut self) -> Result<(), CommitError> {
        self.commit().await?;
        self.snapshots.settle(&self.world, &mut self.writer, true).await;
        if self.writer.snapshot_due_at_unload() {
            if self.copy.database().is_none() {
                self.copy.open().await?;
                self.through = CommitSeq::default();
            }
            self.begin_snapshot().await;
            self.snapshots.settle(&self.world, &mut self.writer, true).await;
        }
        self.writer.seal((self.world.clock)()).await?;
        Ok(())
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
            outcomes: Vec::new(),
        };
        complete(&mut capture, &[1, 1, 1, 1, 2, 2, 2, 2]);
        assert_eq!(capture.pages, [(1, page(1)), (2, page(9)), (3, page(8))]);
    }
}
