//! A rule: when a condition is raised, when it is cleared, and what is done about it.

use std::{fmt, time::Duration};

use crate::{Clause, Kind, Tell};

/// A rule for one condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The condition.
    pub kind: Kind,
    /// What it means, for people.
    pub what: String,
    /// How the clauses go together.
    pub combine: Combine,
    /// The comparisons. Without any, the condition is only ever declared, by an operator or a monitor.
    pub clauses: Vec<Clause>,
    /// How long they must hold before it is raised.
    pub held_for: Duration,
    /// How long they must be clear before it is cleared.
    pub clear_for: Duration,
    /// Whether it is about the whole server, or about each database by itself.
    pub per: Per,
    /// What the server does about it by itself (R51).
    pub actions: Vec<Action>,
    /// Whether the actions are only logged.
    pub dry_run: bool,
    /// What clients are told while it is raised (R47).
    pub tells: Vec<Tell>,
}

/// How clauses go together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    /// All must hold; it is over as soon as one is clear.
    #[default]
    All,
    /// One is enough; it is over when all are clear.
    Any,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Per {
    /// The whole server.
    #[default]
    Server,
    /// Each database by itself.
    Database,
}

/// What a server can do to keep itself from failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Puts away databases that nobody uses, those idle for longest first.
    UnloadIdle,
    /// Takes no new sessions, SQLSTATE 53300. Sessions that were begun go on.
    RefuseSessions,
    /// Cancels the statement that has run for longest, SQLSTATE 53000.
    CancelWorst,
    /// Folds the logs beside working copies into them.
    Checkpoint,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::UnloadIdle, Self::RefuseSessions, Self::CancelWorst, Self::Checkpoint];

    /// Its name in files, logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnloadIdle => "unload_idle",
            Self::RefuseSessions => "refuse_sessions",
            Self::CancelWorst => "cancel_worst",
            Self::Checkpoint => "checkpoint",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
