//! The seam between the log and whatever keeps it.

use std::{io, path::Path};

use async_trait::async_trait;
use model::FleetId;

use super::StoreError;
use crate::raft::{LogEntry, LogId, Vote};

/// What a snapshot is written to.
pub trait Target: io::Write + io::Seek {}

impl<T: io::Write + io::Seek> Target for T {}

/// Writes a snapshot, piece by piece. Long work, done where blocking work is done.
pub type Encode = Box<dyn FnOnce(&mut dyn Target) -> io::Result<()> + Send>;

/// One write. A batch is done in order, and a crash leaves the work of some prefix of the writes.
#[derive(Clone, Debug)]
pub enum Write {
    /// Whom this controller votes for from now on.
    Vote(Vote),
    /// Entries that follow the last one, oldest first. Not empty.
    Append(Vec<LogEntry>),
    /// Drops every entry after this one; all of them when there is none.
    Truncate {
        /// The last entry that stays.
        after: Option<LogId>,
    },
    /// Drops every entry up to and with this one: a snapshot has them.
    Purge {
        /// The last entry that goes.
        upto: LogId,
    },
    /// How far the log is known to be committed. May be lost: it is a hint for the next start.
    Committed(LogId),
}

/// What a disk held when it was opened.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The last vote.
    pub vote: Option<Vote>,
    /// The last commit hint.
    pub committed: Option<LogId>,
    /// The last purged entry.
    pub purged: Option<LogId>,
    /// The entries after that one, without a hole.
    pub entries: Vec<LogEntry>,
}

/// Keeps the log and the newest snapshot. Whatever it acknowledges survives a crash, and with the setting
/// `power_loss_safe` a power cut.
#[async_trait]
pub trait Disk: Send + Sync + 'static {
    /// Reads everything but the snapshot.
    ///
    /// # Errors
    /// [`StoreError`] when anything that had been acknowledged is missing, damaged, or from a later release.
    async fn load(&self) -> Result<Loaded, StoreError>;

    /// Does all of these, durably. After a failure the disk must not be written to again.
    ///
    /// # Errors
    /// Whatever the system says. Nobody knows then which of the writes were done.
    async fn write(&self, batch: Vec<Write>) -> io::Result<()>;

    /// Makes what `encode` writes the newest snapshot, durably, while writes of the log go on unhindered.
    ///
    /// # Errors
    /// Whatever the system says. The old snapshot is still there.
    async fn put_image(&self, encode: Encode) -> io::Result<()>;

    /// The newest snapshot.
    ///
    /// # Errors
    /// Whatever the system says.
    async fn image(&self) -> io::Result<Option<Vec<u8>>>;

    /// Notes which fleet this data belongs to.
    ///
    /// # Errors
    /// [`StoreError::AnotherFleet`] when it belongs to another one, or whatever the system says.
    async fn belong_to(&self, fleet: FleetId) -> Result<(), StoreError>;

    /// Whether this controller is not admitted yet: so it is with every new disk, as another one may have been lost.
    async fn is_joining(&self) -> bool;

    /// Notes durably that it is admitted.
    ///
    /// # Errors
    /// Whatever the system says.
    async fn admit(&self) -> Result<(), StoreError>;

    /// Where it is, for the operator.
    fn path(&self) -> &Path;
}
