//! Statements that the session answers itself: transactions, settings, prepared statements, cursors, COPY.
//!
//! [`parse()`] looks at the first word and leaves everything else to SQLite.

mod copy;
mod cursor;
mod parse;
mod setting;
mod transaction;

use std::ops::Range;

pub(super) use self::copy::{CopyFormat, CopyStatement, Options as CopyOptions, Source as CopySource};
pub(super) use self::cursor::Count;
pub(super) use self::parse::parse;
pub(super) use self::transaction::Modes;
use super::ddl::Definition;
use super::types::Type;

/// How isolated a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    /// Each statement sees what is committed when it starts; READ UNCOMMITTED means the same, as in PostgreSQL.
    ReadCommitted,
    /// One snapshot for the whole transaction.
    RepeatableRead,
    /// Here the same as repeatable read: with one writer, and writers refused on an old snapshot, it is serializable.
    Serializable,
}

/// A statement of the session's own.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    Begin(Modes),
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// `SET TRANSACTION …`, or with `session` the default of later ones.
    SetTransaction {
        modes: Modes,
        session: bool,
    },
    /// `None` sets the default.
    Set {
        name: String,
        value: Option<String>,
        local: bool,
    },
    Show(String),
    ShowAll,
    /// `None` resets everything.
    Reset(Option<String>),
    Discard(Discard),
    Prepare {
        name: String,
        types: Vec<Type>,
        sql: Range<usize>,
    },
    /// The range holds the arguments, without parentheses.
    Execute {
        name: String,
        arguments: Range<usize>,
    },
    Deallocate(Option<String>),
    Declare {
        name: String,
        hold: bool,
        query: Range<usize>,
    },
    Fetch {
        name: String,
        count: Count,
        discard: bool,
    },
    Close(Option<String>),
    Copy(CopyStatement),
    /// CREATE, ALTER, DROP or TRUNCATE in SQLite's words.
    Define(Definition),
    /// `VACUUM FULL`: SQLite's own.
    Rebuild,
    /// How SQLite would go about a statement.
    Explain {
        query: Range<usize>,
    },
    /// Accepted without effect; the tag to answer with.
    Nothing(&'static str),
    /// PostgreSQL has it, this engine has not.
    Unsupported(&'static str),
}

/// What DISCARD forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Discard {
    All,
    Plans,
    Temporary,
    Sequences,
}

impl Isolation {
    /// As settings spell it.
    pub fn name(self) -> &'static str {
        match self {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        match name.to_lowercase().as_str() {
            "read committed" | "read uncommitted" => Some(Isolation::ReadCommitted),
            "repeatable read" => Some(Isolation::RepeatableRead),
            "serializable" => Some(Isolation::Serializable),
            _unknown => None,
        }
    }
}
