//! What can be wrong with an object of a journal. Always reported with its database and position, never skipped.

use model::{DatabaseId, Epoch, FleetId};

use crate::{Position, RecordHash};

/// An object of a journal is not what it must be. The database is not loaded; nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{database}: the {object} of position {position} is damaged")]
pub struct Damaged {
    /// The database whose journal it is.
    pub database: DatabaseId,
    /// Where in its log.
    pub position: Position,
    /// What kind of object.
    pub object: Object,
    /// What is wrong.
    #[source]
    pub damage: Damage,
}

/// The kinds of objects that a journal is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// A record of the log.
    Record,
    /// A snapshot.
    Snapshot,
    /// A pin.
    Pin,
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Record => "record",
            Self::Snapshot => "snapshot",
            Self::Pin => "pin",
        })
    }
}

/// What is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It should be there: positions after it are, or a snapshot says so.
    #[error("it is missing")]
    Missing,
    /// Too short, or not begun by the journal's magic.
    #[error("it is no object of a journal")]
    NotOurs,
    /// The header's own checksum fails.
    #[error("its header fails its checksum")]
    Header,
    /// The checksum of the whole fails.
    #[error("its content fails its checksum")]
    Content,
    /// It is longer or shorter than its header says.
    #[error("it has {found} bytes and should have {expected}")]
    Length {
        /// Its length in bytes.
        found: u64,
        /// What its header says.
        expected: u64,
    },
    /// Written by a newer version, in a way that this one cannot read.
    #[error("it has {what} {number}, which this version does not know")]
    Unknown {
        /// What is not known: a format, kind or encoding.
        what: &'static str,
        /// Its number.
        number: u16,
    },
    /// It was written for another fleet, database or position.
    #[error("it was written as position {position} of {database} of fleet {fleet}")]
    Foreign {
        /// The fleet in its header.
        fleet: FleetId,
        /// The database in its header.
        database: DatabaseId,
        /// The position in its header.
        position: Position,
    },
    /// It does not follow the record before it.
    #[error("it follows a record with hash {named}, and the record before it has {found}")]
    Chain {
        /// What it names as the hash of the record before it.
        named: RecordHash,
        /// What that record has.
        found: RecordHash,
    },
    /// An older owner's record follows a newer owner's.
    #[error("it has epoch {found}, and the record before it has {before}")]
    EpochWentBack {
        /// Its epoch.
        found: Epoch,
        /// The epoch before it.
        before: Epoch,
    },
    /// Its checksum is right and its content makes no sense: written by a faulty program.
    #[error("its content makes no sense: {0}")]
    Nonsense(&'static str),
}

impl Damage {
    pub(crate) fn of(self, object: Object, database: DatabaseId, position: Position) -> Damaged {
        Damaged { database, position, object, damage: self }
    }
}
