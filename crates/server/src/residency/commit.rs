//! From committed locally to durable: takes what sessions committed, appends it to the journal, raises the watermark.
//!
//! One group is on its way at a time; whatever is committed meanwhile becomes the next. Nothing here acknowledges
//! anything: sessions hold their own bytes until the watermark has passed what they depend on.
//! A session that commits alone need not wait for the owner: its thread appends in the owner's place (see [`Line`]).

use std::{pin::pin, sync::Arc};

use journal::{AppendError, Effect};
use sabotage::Sabotage;
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{World, copy::WorkingCopy, line::Line, resident::Resident, snapshots::Snapshots};
use crate::{
    answers::Ending,
    engine::{Capture, Checkpoint, CommitSeq, Database, EngineError},
    limits::{CHECKPOINT_BYTES, LINE_PATIENCE, PROBE_PAUSE, TAKE_INLINE_BYTES},
    measures,
};

/// The owner's means to make commits durable.
pub struct Committer {
    pub world: Arc<World>,
    pub resident: Arc<Resident>,
    pub copy: WorkingCopy,
    /// The way into the journal, shared with the sessions' threads.
    pub line: Arc<Mutex<Line>>,
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
    /// The journal's disk did not answer for as long as the database could stay.
    #[error("the journal's disk did not answer before the database had to be left")]
    Abandoned,
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
            // The disk may yet take it.
            Self::Abandoned => Ending::Unknown,
            // Nothing of it ever left this process.
            Self::Engine(_) | Self::Superseded => absent,
        }
    }
}

impl Committer {
    /// The line, once no session's thread is at it. While one is, its session is inside: the database could not be left.
    async fn line(&self) -> OwnedMutexGuard<Line> {
        if let Ok(line) = Arc::clone(&self.line).try_lock_owned() {
            return line;
        }
        loop {
            match timeout(LINE_PATIENCE, Arc::clone(&self.line).lock_owned()).await {
                Ok(line) => return line,
                Err(_late) => self.waits_for_disk(),
            }
        }
    }

    /// Opens the working copy for those who wait for it.
    pub async fn warm(&mut self) -> Result<(), EngineError> {
        let database = self.copy.open().await?;
        let mut line = self.line().await;
        line.through = CommitSeq::default();
        self.resident.warmed(database, line.through, line.writer.state().position);
        Ok(())
    }

    /// Closes the working copy, which nobody uses; the resident says so already.
    pub async fn cool(&mut self) -> Result<(), EngineError> {
        if !self.copy.cool().await?
            && let Some(database) = self.copy.database()
        {
            let line = self.line().await;
            self.resident.warmed(Arc::clone(database), line.through, line.writer.state().position);
        }
        Ok(())
    }

    /// Does what sessions wait for: makes everything durable that was committed by now, and proves what they asked for.
    pub async fn commit_and_prove(&mut self) -> Result<(), CommitError> {
        let line = self.line().await;
        let line = self.commit(line).await?;
        self.prove(&line).await
    }

    async fn commit(
        &mut self,
        mut guard: OwnedMutexGuard<Line>,
    ) -> Result<OwnedMutexGuard<Line>, CommitError> {
        loop {
            let line = &mut *guard;
            self.finish(line).await?;
            self.maintain(line).await;
            let Some(database) = self.copy.database().cloned() else { break };
            if line.pending(&*database) == 0 {
                break;
            }
            self.gather(line, &*database).await;
            if line.appends_here() {
                guard = self.drain(guard, database).await?;
                continue;
            }
            let taken = if database.untaken_bytes() <= TAKE_INLINE_BYTES {
                database.take()
            } else {
                self.world.workers.run(move || database.take()).await
            };
            let Some(capture) = taken? else { break };
            if sabotage::is(Sabotage::Flush) {
                self.resident.raise(capture.through, line.writer.state().position);
                sleep(std::time::Duration::from_millis(100)).await;
            }
            self.append(line, capture).await?;
            self.answer(line);
        }
        self.answer(&guard);
        Ok(guard)
    }

    /// Sees to what another thread has left behind.
    async fn finish(&self, line: &mut Line) -> Result<(), CommitError> {
        if let Some(error) = line.failed.take() {
            return Err(error);
        }
        if let Some(begun) = line.begun.take() {
            if let Err(error) = line.writer.resume().await {
                self.insist(line, error).await?;
            }
            line.landed(begun, &self.resident);
        }
        Ok(())
    }

    /// Has a worker append for as long as there is more. Every way between this task, a thread for the disk and back would
    /// cost as much as a fast disk's sync, for each group.
    async fn drain(
        &self,
        mut line: OwnedMutexGuard<Line>,
        database: Arc<dyn Database>,
    ) -> Result<OwnedMutexGuard<Line>, CommitError> {
        let resident = Arc::clone(&self.resident);
        let mut draining = pin!(self.world.workers.run(move || {
            line.drain(&*database, &resident);
            line
        }));
        loop {
            if let Ok(line) = timeout(LINE_PATIENCE, &mut draining).await {
                return Ok(line);
            }
            self.waits_for_disk();
            tokio::select! {
                biased;
                line = &mut draining => return Ok(line),
                () = self.resident.overdue() => return Err(CommitError::Abandoned),
                () = sleep(LINE_PATIENCE) => {}
            }
        }
    }

    fn waits_for_disk(&self) {
        measures::stalled();
        self.world.environment.journal_failed();
        tracing::warn!(database = %self.resident.id, "a commit waits for the journal's disk");
    }

    /// Answers what was asked about requests. Whoever asks has waited until what it asks about is in the journal.
    fn answer(&self, line: &Line) {
        self.resident.questions.answer(&line.writer.state().outcomes);
    }

    /// Proves to those who asked that nobody else owned the database when they did.
    async fn prove(&self, line: &Line) -> Result<(), CommitError> {
        let Some(asked) = self.resident.asked() else { return Ok(()) };
        let proven = line.writer.probe().await;
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
    async fn gather(&self, line: &mut Line, database: &dyn Database) {
        let Some((wanted, time)) = line.gathering.wait(line.pending(database)) else { return };
        let end = Instant::now() + time;
        while line.pending(database) < wanted {
            // Waking is for the owner; whatever else it was about is looked at after this commit.
            if timeout_at(end, self.resident.woken()).await.is_err() {
                return line.gathering.waited(false);
            }
        }
        line.gathering.waited(true);
    }

    async fn append(&self, line: &mut Line, capture: Capture) -> Result<(), CommitError> {
        let (begun, group) = line.group(capture, (self.world.clock)());
        if let Some(group) = group
            && let Err(error) = line.writer.append(group).await
        {
            self.insist(line, error).await?;
        }
        line.landed(begun, &self.resident);
        Ok(())
    }

    /// A commit is not settled: sessions wait, and it is tried again with the same bytes, until the store has taken it, or
    /// another owner has its place, or the database has to be left. So a store that comes back finds everything as it was.
    async fn insist(&self, line: &mut Line, mut error: AppendError) -> Result<(), AppendError> {
        while error.may_resume() {
            measures::stalled();
            self.world.environment.journal_failed();
            tracing::warn!(reason = crate::chain(&error), "a commit waits for the journal's store");
            error = tokio::select! {
                biased;
                resumed = line.writer.resume() => match resumed {
                    Ok(_) => return Ok(()),
                    Err(error) => error,
                },
                () = self.resident.overdue() => return Err(error.given_up()),
            };
        }
        Err(error)
    }

    /// What keeps loads short and the local log small. Failing is no harm: it is due again after the next commit.
    async fn maintain(&mut self, line: &mut Line) {
        self.snapshots.settle(&self.world, &mut line.writer, false).await;
        if line.writer.snapshot_due() && self.snapshots.may_begin(Instant::now()) {
            self.begin_snapshot(line).await;
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
    async fn begin_snapshot(&mut self, line: &Line) {
        let Some(database) = self.copy.database().cloned() else { return };
        let path = self.copy.image().with_file_name("snapshot");
        let (draft, to, began) = (line.writer.snapshot_draft(), path.clone(), Instant::now());
        match self.world.workers.run(move || database.write_image(&to)).await {
            // The image holds what was taken, and all that was taken is in the journal.
            Ok(through) if through == line.through => {
                self.snapshots.begin(&self.world, draft, path, began);
            }
            Ok(through) => {
                let (image, journal) = (through.0, line.through.0);
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
        let line = self.line().await;
        let mut line = self.commit(line).await?;
        let line = &mut *line;
        self.snapshots.settle(&self.world, &mut line.writer, true).await;
        if line.writer.snapshot_due_at_unload() {
            if self.copy.database().is_none() {
                self.copy.open().await?;
                line.through = CommitSeq::default();
            }
            self.begin_snapshot(line).await;
            self.snapshots.settle(&self.world, &mut line.writer, true).await;
        }
        line.writer.seal((self.world.clock)()).await?;
        Ok(())
    }
}
