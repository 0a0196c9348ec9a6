//! The seam between the server and whatever stores and queries a database.
//!
//! An [`Engine`] opens images, a [`Database`] hands out [`Session`]s and gives up its committed pages for the journal.
//! Everything here is synchronous and touches no socket: a session is a state machine that eats frontend frames and
//! appends backend bytes, so that worker threads, tests and the simulation drive it alike.
//! It never waits: whatever takes time outside comes back as a [`Step`], and the async shell does the waiting.
//! The seam promises bytes of the PostgreSQL wire and a [`CommitSeq`]; that the first engine is SQLite shows in nothing but
//! [`Capture`], whose pages mean something only to the engine that made them.

mod clock;
mod error;
mod interrupt;
mod limits;
pub mod sqlite;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use journal::Outcome;
use model::SessionId;

pub use self::clock::{Clock, SystemClock};
pub use self::error::EngineError;
pub use self::interrupt::{InterruptHandle, InterruptReason};
pub use self::limits::{Limits, OUTPUT_BYTES};
pub use self::writer::{NextWriter, WriterPermit, WriterPlace, WriterQueue, WriterTurn};
use wire::SqlState;
pub use wire::backend::TransactionStatus;

/// How many times transactions were published since a database was opened; 0 when never.
///
/// What a session commits is visible to others at once, but is published, for the journal to take, only together with
/// the whole request that it belongs to. So a request's commits have one number, and are durable together or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitSeq(pub u64);

/// Opens databases of one kind.
pub trait Engine: Send + Sync {
    /// Writes the image of an empty database to `path`, which must not exist. The same engine always writes the same bytes.
    fn create_image(&self, path: &Path) -> Result<(), EngineError>;

    /// Opens the image at `path`, a private working copy that this database owns until it is closed.
    /// The copy is a cache: nothing written to it is durable before the journal has it.
    fn open(&self, path: &Path, limits: &Limits) -> Result<Arc<dyn Database>, EngineError>;
}

/// One open database, shared by its sessions and its owner.
pub trait Database: Send + Sync {
    /// Starts a session. Sessions are independent of each other and may run on different threads.
    fn session(&self, start: SessionStart) -> Result<Box<dyn Session>, EngineError>;

    /// The queue of those who want to write; one permit, first come first served.
    fn writer_queue(&self) -> &WriterQueue;

    /// How far transactions are published. Looked at after each step of a session.
    fn committed(&self) -> CommitSeq;

    /// The newest copy of every page published since the last call; `None` when nothing was published.
    /// Called by one at a time, from a thread that may block unless [`Database::untaken_bytes`] are few.
    fn take(&self) -> Result<Option<Capture>, EngineError>;

    /// About how many bytes [`Database::take`] would have to read now.
    fn untaken_bytes(&self) -> u64;

    /// Moves taken pages from the log beside the image into the image, so that the log starts afresh.
    /// Never blocks: where a reader, a writer or an untaken commit is in the way it answers [`Checkpoint::Busy`].
    fn checkpoint(&self) -> Result<Checkpoint, EngineError>;

    /// Bytes in the log beside the image: the measure of when a checkpoint is due.
    fn log_bytes(&self) -> u64;

    /// Writes a consistent image, holding exactly the commits up to the returned number (those taken so far), to `path`.
    fn write_image(&self, path: &Path) -> Result<CommitSeq, EngineError>;

    /// Closes the database's own handles. Sessions must have been dropped; files stay and belong to the caller again.
    fn close(&self) -> Result<(), EngineError>;
}

/// A connected client's conversation, from start-up (authentication is over) to Terminate.
pub trait Session: Send {
    /// Appends what follows AuthenticationOk: a ParameterStatus for each reported setting. The shell adds
    /// BackendKeyData and the first ReadyForQuery.
    fn greet(&mut self, out: &mut BytesMut);

    /// Queues one complete frontend frame, without its 5-byte header.
    ///
    /// # Errors
    /// [`EngineError::Protocol`] when the frame ends the session: tell the client and close.
    fn push(&mut self, tag: u8, body: Bytes) -> Result<(), EngineError>;

    /// Works until it needs something from outside, appending wire bytes to `out`. Failed statements are answers, not errors.
    ///
    /// `out` is empty, or just as the last step left it: the session looks for its answers in there. Whatever was
    /// committed is published when this returns.
    fn step(&mut self, out: &mut BytesMut) -> Step;

    /// The commit that must be durable before any byte produced so far may leave: own commits and everything read.
    fn gate(&self) -> CommitSeq;

    /// Whether the next step would only find out that it has to wait for the writer permit, and how long at most, as in
    /// [`Step::Writer`]; `out` as for the step. Does not block. An engine need not foresee anything.
    fn foresee_wait(&mut self, out: &BytesMut) -> Option<Option<Duration>>;

    /// Whom the last step has given the permit to at its end, who waits to be called. Asked after each step; the session
    /// itself calls who gets the permit earlier.
    fn next_writer(&mut self) -> Option<NextWriter>;

    /// Gives the permit that [`Step::Writer`] asked for.
    fn grant_writer(&mut self, permit: WriterPermit);

    /// Cancels the running statement from any thread.
    fn interrupt(&self) -> InterruptHandle;

    /// What the last ReadyForQuery said, or would say now.
    fn transaction_status(&self) -> TransactionStatus;

    /// Whether frames are waiting, a statement is open or a request is unanswered.
    fn busy(&self) -> bool;

    /// What would be lost if the session were re-created elsewhere from its settings and prepared statements.
    fn pinned(&self) -> bool;
}

/// Why [`Session::step`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All input is consumed: flush (once [`Session::gate`] is durable), then wait for frames.
    Idle,
    /// The output bound is reached with the statement still open: flush, then step again.
    Output,
    /// Wait for the writer permit, [`Session::grant_writer`], step again. When an interrupt comes first, or this time is over, step
    /// again without it.
    Writer(Option<Duration>),
    /// Wait this long or until the interrupt handle fires, then step again (`pg_sleep`, held without a thread).
    Sleep(Duration),
    /// The client said good-bye: flush and close.
    Closed,
}

/// What a new session has to know.
#[derive(Clone)]
pub struct SessionStart {
    /// The authenticated user.
    pub user: String,
    /// The database's name as the client knows it.
    pub database: String,
    /// Start-up parameters other than user and database (`application_name`, `options`, `client_encoding` …).
    pub parameters: Vec<(String, String)>,
    /// Reported by `pg_backend_pid()`.
    pub process_id: i32,
    /// Lists the fleet's databases for `pg_database`; the current one is always shown.
    pub databases: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Is told of every error that a statement or the session ends with.
    pub failed: Arc<dyn Fn(SqlState) + Send + Sync>,
    /// Under which its requests' outcomes are kept; `None` for one that never asks for them.
    pub identity: Option<Identity>,
}

/// Which session of a client this connection goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The session.
    pub session: SessionId,
    /// The number of the first request that comes, from 1.
    pub next: u64,
}

/// Pages for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Every commit up to here is in this capture or an earlier one.
    pub through: CommitSeq,
    /// The first commit that is new in this capture.
    pub first: CommitSeq,
    /// Bytes per page.
    pub page_size: u32,
    /// Pages of the database after these commits; the image is cut or grown to this.
    pub db_pages: u32,
    /// Newest copies in ascending order of page number (from 1). Empty when the commits changed nothing.
    pub pages: Vec<(u32, Bytes)>,
    /// The requests that these commits belong to, in the order in which they were answered. Empty when they changed
    /// nothing: such a request may as well be done again.
    pub outcomes: Vec<Outcome>,
}

/// Result of [`Database::checkpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkpoint {
    /// The log is empty and the image is complete.
    Done,
    /// Somebody was in the way; try again later.
    Busy,
}
