//! One open SQLite database: what its sessions share, and the commit side.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::capture::{Commits, LogReader};
use super::session::SqliteSession;
use crate::engine::{
    Capture, Checkpoint, Clock, CommitSeq, Database, EngineError, Limits, Session, SessionStart, WriterQueue,
};

/// What the sessions of a database share.
pub(super) struct Shared {
    pub path: PathBuf,
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
    pub queue: WriterQueue,
    pub commits: Arc<Commits>,
    /// Rises with every committed change of the schema: compiled plans of an older one are void.
    pub schema: AtomicU64,
    sessions: AtomicUsize,
}

/// A place among the sessions, given back when dropped.
pub(super) struct Seat(Arc<Shared>);

impl Seat {
    fn take(shared: &Arc<Shared>) -> Result<Self, EngineError> {
        let seat = Self(Arc::clone(shared));
        if shared.sessions.fetch_add(1, Ordering::SeqCst) >= shared.limits.sessions_max {
            return Err(EngineError::Refused {
                sqlstate: "53300",
                reason: "sorry, too many clients already for this database".to_owned(),
            });
        }
        Ok(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An open database.
pub(super) struct SqliteDatabase {
    shared: Arc<Shared>,
    /// `None` once closed.
    reader: Mutex<Option<LogReader>>,
}

impl SqliteDatabase {
    pub fn open(path: &Path, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, EngineError> {
        let reader = LogReader::open(path)
            .map_err(|failure| EngineError::Open { path: path.to_owned(), reason: failure.to_string() })?;
        let shared = Shared {
            path: path.to_owned(),
            limits,
            clock,
            queue: WriterQueue::new(),
            commits: Arc::new(Commits::default()),
            schema: AtomicU64::new(0),
            sessions: AtomicUsize::new(0),
        };
        Ok(Self { shared: Arc::new(shared), reader: Mutex::new(Some(reader)) })
    }

    fn with_reader<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&mut LogReader) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        match reader.as_mut() {
            Some(reader) => work(reader),
            None => Err(EngineError::Storage { action, reason: "the database is closed".to_owned() }),
        }
    }
}

impl Database for SqliteDatabase {
    fn session(&self, start: SessionStart) -> Result<Box<dyn Session>, EngineError> {
        let seat = Seat::take(&self.shared)?;
        Ok(Box::new(SqliteSession::open(Arc::clone(&self.shared), seat, start)?))
    }

    fn writer_queue(&self) -> &WriterQueue {
        &self.shared.queue
    }

    fn committed(&self) -> CommitSeq {
        self.shared.commits.committed()
    }

    fn take(&self) -> Result<Option<Capture>, EngineError> {
        self.with_reader("read the log", |reader| reader.take(&self.shared.commits))
    }

    fn untaken_bytes(&self) -> u64 {
        let measured =
            self.with_reader("measure the log", |reader| Ok(reader.untaken_bytes(&self.shared.commits)));
        // A closed database has no log.
        measured.unwrap_or(0)
    }

    fn checkpoint(&self) -> Result<Checkpoint, EngineError> {
        let Some(_permit) = self.shared.queue.try_acquire() else { return Ok(Checkpoint::Busy) };
        let done =
            self.with_reader("checkpoint the log", |reader| reader.checkpoint(&self.shared.commits))?;
        Ok(if done { Checkpoint::Done } else { Checkpoint::Busy })
    }

    fn log_bytes(&self) -> u64 {
        let measured =
            self.with_reader("measure the log", |reader| Ok(reader.log_bytes(&self.shared.commits)));
        // A closed database has no log.
        measured.unwrap_or(0)
    }

    fn write_image(&self, path: &Path) -> Result<CommitSeq, EngineError> {
        self.with_reader("write an image", |reader| reader.write_image(path))
    }

    fn close(&self) -> Result<(), EngineError> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(reader);
        Ok(())
    }
}
