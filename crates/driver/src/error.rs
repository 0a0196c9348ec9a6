//! What can go wrong, what it left behind, and what to do about it.

use std::time::Duration;

use tokio_postgres::error::{DbError, SqlState};

/// Whether a failed call may have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changed nothing: it may be done again.
    None,
    /// Nobody can tell. Look before doing it again.
    Unknown,
}

/// What an application may do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Do the same again, at once.
    Retry,
    /// Do the same again, not before that time.
    RetryIn(Duration),
    /// The same would fail again, or could take effect twice.
    GiveUp,
}

/// Why a call failed. Display never repeats the cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be used; says what to change.
    #[error("configuration: {0}")]
    Config(String),
    /// The server answered with an error, or what it answered could not be read, as tokio-postgres says.
    /// Nothing was changed.
    #[error(transparent)]
    Postgres(tokio_postgres::Error),
    /// No address could be connected to until the call's deadline.
    #[error("cannot connect to {tried}")]
    Connect {
        /// The last address that was tried.
        tried: String,
        /// What it said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A directive says not to connect, for longer than the call may take (R71).
    #[error("{server} is not to be connected to for {} ms{}", retry_in.as_millis(), because(reason))]
    Held {
        /// Who is held.
        server: String,
        /// Why, as the directive says; may be empty.
        reason: String,
        /// When the hold ends.
        retry_in: Duration,
    },
    /// A directive limits the rate of operations, and this one is above it (R81).
    #[error("above the rate that is allowed{}; there is room in {} ms", because(reason), retry_in.as_millis())]
    Limited {
        /// Why, as the directive says; may be empty.
        reason: String,
        /// When there is room.
        retry_in: Duration,
    },
    /// The call's own deadline passed.
    #[error("not done within {} ms: {doing}", limit.as_millis())]
    Deadline {
        /// How long the call had.
        limit: Duration,
        /// What it was doing.
        doing: &'static str,
        /// Whether it may have changed something.
        effect: Effect,
        /// What went wrong before, if anything did.
        #[source]
        source: Option<Box<Error>>,
    },
    /// The connection broke while a write was under way, or the server says itself that it cannot tell (40003).
    #[error("outcome unknown: the connection broke while the request was under way")]
    OutcomeUnknown(#[source] tokio_postgres::Error),
    /// The connection broke within a transaction, before its COMMIT was sent: nothing of it remains.
    #[error("the connection broke within a transaction, of which nothing remains")]
    TransactionLost(#[source] tokio_postgres::Error),
    /// The server answered COMMIT by a rollback, because a statement of the transaction had failed.
    #[error("the transaction was rolled back, because one of its statements had failed")]
    RolledBack,
    /// The connection broke, and with it went what cannot be made again on another. Said once; then a new session is used.
    #[error("the session is lost, and with it {what}")]
    SessionLost {
        /// What: temporary tables, channels listened to.
        what: &'static str,
    },
    /// A new session refused to become like the old one.
    #[error("cannot give a new session what the old one had: {what}")]
    Restore {
        /// What was refused.
        what: String,
        /// What the server said.
        #[source]
        source: Option<tokio_postgres::Error>,
    },
    /// A query's map of a table's parts is not the present one (R86).
    #[error("version {given} of the map of {table} is not the present one, {present}")]
    StaleMap {
        /// The table.
        table: String,
        /// The version that was given.
        given: u64,
        /// The version that is in force.
        present: u64,
    },
    /// A name that the driver does not know: a table without a map, a view.
    #[error("{what} {name} is not known")]
    Unknown {
        /// What the name should be of.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Another number of rows than the call asks for.
    #[error("{found} rows instead of {wanted}")]
    RowCount {
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: &'static str,
    },
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

impl Error {
    /// Whether the call may have changed something.
    pub fn effect(&self) -> Effect {
        match self {
            // The rows may be those of a write.
            Error::OutcomeUnknown(_) | Error::RowCount { .. } => Effect::Unknown,
            Error::Deadline { effect, .. } => *effect,
            Error::Config(_)
            | Error::Postgres(_)
            | Error::Connect { .. }
            | Error::Held { .. }
            | Error::Limited { .. }
            | Error::TransactionLost(_)
            | Error::SessionLost { .. }
            | Error::Restore { .. }
            | Error::StaleMap { .. }
            | Error::RolledBack
            | Error::Unknown { .. } => Effect::None,
        }
    }

    /// What the application may do.
    pub fn advice(&self) -> Advice {
        match self {
            Error::Held { retry_in, .. } | Error::Limited { retry_in, .. } => Advice::RetryIn(*retry_in),
            Error::TransactionLost(_) | Error::SessionLost { .. } | Error::StaleMap { .. } => Advice::Retry,
            Error::Connect { .. } | Error::Deadline { effect: Effect::None, .. } => Advice::Retry,
            Error::Postgres(error) if error.code().is_some_and(is_transient) => Advice::Retry,
            Error::Postgres(_)
            | Error::Config(_)
            | Error::Deadline { .. }
            | Error::OutcomeUnknown(_)
            | Error::Restore { .. }
            | Error::RolledBack
            | Error::Unknown { .. }
            | Error::RowCount { .. } => Advice::GiveUp,
        }
    }

    /// The SQLSTATE, where a server gave one.
    pub fn code(&self) -> Option<&SqlState> {
        self.postgres().and_then(tokio_postgres::Error::code)
    }

    /// What the server said, where it did.
    pub fn as_db_error(&self) -> Option<&DbError> {
        self.postgres().and_then(tokio_postgres::Error::as_db_error)
    }

    fn postgres(&self) -> Option<&tokio_postgres::Error> {
        match self {
            Error::Postgres(error) | Error::OutcomeUnknown(error) | Error::TransactionLost(error) => {
                Some(error)
            }
            Error::Restore { source, .. } => source.as_ref(),
            Error::Connect { source, .. } => source.downcast_ref(),
            Error::Deadline { source, .. } => source.as_deref().and_then(Error::postgres),
            Error::Config(_)
            | Error::Held { .. }
            | Error::Limited { .. }
            | Error::SessionLost { .. }
            | Error::StaleMap { .. }
            | Error::RolledBack
            | Error::Unknown { .. }
            | Error::RowCount { .. } => None,
        }
    }
}

/// Serialization failures and deadlocks: the transaction is to be done again as a whole.
fn is_transient(code: &SqlState) -> bool {
    *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
}
