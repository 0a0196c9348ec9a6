//! Looking at journals, checking and restoring them, without fencing anybody: for operators, and for forks.
//!
//! All of it only reads. A database may be in use meanwhile; what is collected under a reader is an error that says so.

mod archive;
mod inspect;
mod restore;
mod verify;

use model::{DatabaseId, TimestampMs};

pub use archive::Archive;
pub use inspect::Entry;
pub use verify::Verified;

use crate::{ObjectError, Position, damage::Damaged, log::ReadError};

/// How far to restore a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// As far as its log goes.
    Newest,
    /// Up to and with a position.
    Position(Position),
    /// Up to the last record that is not younger, by its owner's clock.
    Time(TimestampMs),
}

/// A journal could not be read.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The store failed.
    #[error("{database}: the store failed while its journal was read")]
    Store {
        /// The database.
        database: DatabaseId,
        /// Why.
        #[source]
        source: ObjectError,
    },
    /// The journal is damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// There is no journal of this database here.
    #[error("{database} has no journal here")]
    NoJournal {
        /// The database.
        database: DatabaseId,
    },
    /// The database was dropped, and its data deleted.
    #[error("{database} was dropped")]
    Dropped {
        /// The database.
        database: DatabaseId,
    },
    /// What was asked for is not there yet, or not any more.
    #[error(
        "{database} cannot be restored to {wanted}: its journal reaches from position {oldest} to {newest}"
    )]
    OutOfReach {
        /// The database.
        database: DatabaseId,
        /// What was asked for.
        wanted: To,
        /// The oldest position that can be restored.
        oldest: Position,
        /// The newest.
        newest: Position,
    },
}

impl std::fmt::Display for To {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Newest => f.write_str("its newest position"),
            Self::Position(position) => write!(f, "position {position}"),
            Self::Time(at) => write!(f, "the time {at} ms"),
        }
    }
}

impl OfflineError {
    pub(crate) fn read(database: DatabaseId, error: ReadError) -> Self {
        match error {
            ReadError::Store(source) => Self::Store { database, source },
            ReadError::Damaged(damaged) => damaged.into(),
        }
    }
}
