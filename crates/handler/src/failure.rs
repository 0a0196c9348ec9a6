//! What a client is told when something does not work: SQLSTATE, text, detail, hint. All chosen here.

use std::time::Duration;

use bytes::BytesMut;
use model::{NameError, Rejection};
use rpc::{Effect, Refusal};
use wire::{
    SqlState,
    backend::{Fields, Severity, error_response, notice_response},
    sqlstate,
};

use crate::{held::Full, sql::Pin};

/// One failure, safe to show to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: SqlState,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    /// Where in the statement, in bytes from 0.
    pub(crate) at: Option<usize>,
}

impl Failure {
    pub(crate) fn new(code: SqlState, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: None, hint: None, at: None }
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Points at a place in the statement, in bytes from 0.
    pub(crate) fn at(mut self, at: usize) -> Self {
        self.at = Some(at);
        self
    }

    /// Writes it as the end of the session.
    pub(crate) fn fatal(&self, out: &mut BytesMut) {
        error_response(out, &self.fields(Severity::Fatal, None));
    }

    /// Writes it as the end of one statement, whose text gives the position.
    pub(crate) fn error(&self, out: &mut BytesMut, sql: Option<&str>) {
        error_response(out, &self.fields(Severity::Error, sql));
    }

    /// Writes it as something to know.
    pub(crate) fn notice(&self, out: &mut BytesMut, severity: Severity) {
        notice_response(out, &self.fields(severity, None));
    }

    fn fields(&self, severity: Severity, sql: Option<&str>) -> Fields<'_> {
        let mut fields = Fields::new(severity, self.code, &self.message);
        fields.detail = self.detail.as_deref();
        fields.hint = self.hint.as_deref();
        fields.position = self.at.and_then(|at| position(sql?, at));
        fields
    }
}

/// Counts characters from 1, as clients do.
fn position(sql: &str, at: usize) -> Option<u32> {
    let before = sql.get(..at)?;
    u32::try_from(before.chars().count() + 1).ok()
}

impl From<&wire::Error> for Failure {
    fn from(error: &wire::Error) -> Self {
        Self::new(error.sqlstate(), error.to_string())
    }
}

/// The end of authentication, whatever was wrong: an unknown user and a wrong password look the same.
pub(crate) fn authentication_failed(user: &str) -> Failure {
    Failure::new(sqlstate::INVALID_PASSWORD, format!("password authentication failed for user \"{user}\""))
}

pub(crate) fn too_slow() -> Failure {
    Failure::new(sqlstate::CONNECTION_EXCEPTION, "canceling authentication due to timeout")
}

pub(crate) fn too_many(what: &str, max: usize) -> Failure {
    Failure::new(sqlstate::TOO_MANY_CONNECTIONS, "sorry, too many clients already")
        .detail(format!("This handler takes at most {max} {what} at a time."))
        .hint("Try again in a moment, or through another handler.")
}

pub(crate) fn not_ready() -> Failure {
    Failure::new(sqlstate::CANNOT_CONNECT_NOW, "this handler is starting up")
        .detail("It has not been able to read the fleet's map from any controller yet.")
}

/// Said to strangers.
pub(crate) fn nobody_tells() -> Failure {
    Failure::new(sqlstate::CANNOT_CONNECT_NOW, "nobody can log in here now")
        .detail("No controller answers.")
        .hint("Try again in a moment.")
}

pub(crate) fn shutting_down() -> Failure {
    Failure::new(sqlstate::ADMIN_SHUTDOWN, "terminating connection because this handler shuts down")
        .hint("Connect again; another handler will serve you.")
}

pub(crate) fn replication() -> Failure {
    Failure::new(sqlstate::FEATURE_NOT_SUPPORTED, "replication connections are not supported")
}

pub(crate) fn private_parameter(name: &str) -> Failure {
    Failure::new(sqlstate::INSUFFICIENT_PRIVILEGE, format!("startup parameter \"{name}\" is reserved"))
        .detail(format!(
            "Parameters that begin with \"{}\" are between handlers and servers.",
            rpc::session::PARAM_PREFIX
        ))
}

/// The client speaks in clear, and must not.
pub(crate) fn encryption_required() -> Failure {
    Failure::new(sqlstate::INVALID_AUTHORIZATION_SPECIFICATION, "connections without TLS are refused here")
        .hint("Connect with sslmode=require, or better verify-full.")
}

/// There is a console here, and no way to databases.
pub(crate) fn console_only(database: &str) -> Failure {
    let message = format!("database \"{database}\" is not to be found here: this is a console");
    Failure::new(sqlstate::INVALID_CATALOG_NAME, message)
        .hint("Connect to a handler, or to the database \"stationmaster\" here.")
}

pub(crate) fn unknown_database(database: &str) -> Failure {
    Failure::new(sqlstate::INVALID_CATALOG_NAME, format!("database \"{database}\" does not exist"))
}

/// No route to a database: what a controller, or the way to one, said.
pub(crate) fn no_route(database: &str, error: &rpc::Error) -> Failure {
    let unavailable = |message: &str, detail: String| {
        Failure::new(sqlstate::CANNOT_CONNECT_NOW, message).detail(detail).hint("Try again in a moment.")
    };
    let rpc::Error::Refused(refusal) = error else {
        return unavailable("no controller could be asked where the database is", one_line(error));
    };
    match refusal {
        Refusal::DatabaseNameUnknown { .. } | Refusal::Rejected(Rejection::DatabaseUnknown { .. }) => {
            unknown_database(database)
        }
        Refusal::Rejected(Rejection::DatabaseForming { .. }) => unavailable(
            &format!("database \"{database}\" is not ready yet"),
            "It is a copy of another database that is still being made.".into(),
        ),
        Refusal::NoServer { reason } => unavailable(
            "no database server is up",
            format!("Database \"{database}\" has nobody to serve it: {reason}."),
        ),
        Refusal::LoadFailed { server, reason, .. } => unavailable(
            &format!("database \"{database}\" could not be loaded"),
            format!("Server \"{server}\" says: {reason}."),
        ),
        Refusal::NotLeader { .. }
        | Refusal::Unavailable { .. }
        | Refusal::Lost { .. }
        | Refusal::Rejected(_)
        | Refusal::ServerNameUnknown { .. }
        | Refusal::ForkFailed { .. }
        | Refusal::ControllersKept { .. }
        | Refusal::DirectiveInvalid { .. }
        | Refusal::NotAllowed { .. }
        | Refusal::Behind { .. } => {
            unavailable("the controllers cannot say where the database is", one_line(refusal))
        }
    }
}

/// Nobody served the database within the time there was.
pub(crate) fn not_served(database: &str, waited: Duration, last: &str) -> Failure {
    Failure::new(
        sqlstate::CANNOT_CONNECT_NOW,
        format!("database \"{database}\" is not being served at the moment"),
    )
    .detail(format!("No server served it within {waited:?} (attach_timeout_ms). The last try: {last}."))
    .hint("Try again in a moment.")
}

/// Every server went away while the session was being made again there.
pub(crate) fn servers_vanish(database: &str) -> Failure {
    Failure::new(
        sqlstate::CANNOT_CONNECT_NOW,
        format!("database \"{database}\" is not being served at the moment"),
    )
    .detail("Every server that took the session over went away at once.")
    .hint("Try again in a moment.")
}

/// Too many requests wait for a server already.
pub(crate) fn held_full(database: &str, full: Full, waits: Duration) -> Failure {
    let Full { setting, max, unit } = full;
    Failure::new(sqlstate::CANNOT_CONNECT_NOW, format!("too many requests wait for database \"{database}\""))
        .detail(format!(
            "The server of \"{database}\" is being looked for, and this handler holds at most {max} {unit} \
             meanwhile ({setting}). The request was not sent."
        ))
        .hint(format!("Try again in a second. What waits is served or fails within {waits:?}."))
}

/// One server after the other has sent a request back.
pub(crate) fn sent_around(database: &str) -> Failure {
    Failure::new(
        sqlstate::CANNOT_CONNECT_NOW,
        format!("database \"{database}\" moves faster than it can be followed"),
    )
    .detail("Several servers in a row said that they do not own it. The request was not executed.")
    .hint("Try again in a moment.")
}

/// A change that was asked of the controllers did not happen, or may not have.
pub(crate) fn not_operated(error: &rpc::Error) -> Failure {
    if let rpc::Error::Refused(refusal) = error
        && let Some(failure) = refused(refusal)
    {
        return failure;
    }
    match error.effect() {
        Effect::Unknown => Failure::new(
            sqlstate::STATEMENT_COMPLETION_UNKNOWN,
            "whether the statement took effect is unknown",
        )
        .detail(one_line(error))
        .hint("Look at SHOW DATABASES or SHOW USERS before you repeat it."),
        Effect::None => {
            Failure::new(sqlstate::CANNOT_CONNECT_NOW, "the controllers cannot change anything now")
                .detail(one_line(error))
                .hint("Nothing was changed. Try again in a moment.")
        }
    }
}

fn refused(refusal: &Refusal) -> Option<Failure> {
    let failure = match refusal {
        Refusal::DatabaseNameUnknown { name } => unknown_database(name),
        Refusal::Rejected(rejection) => Failure::new(rejection_code(rejection), rejection_text(rejection)),
        Refusal::ServerNameUnknown { .. } => Failure::new(sqlstate::UNDEFINED_OBJECT, refusal.to_string()),
        Refusal::LoadFailed { server, reason, .. } => Failure::new(
            sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("server \"{server}\" could not load the database"),
        )
        .detail(format!("{reason}."))
        .hint("SHOW DATABASES tells who has it now."),
        Refusal::ForkFailed { reason } => {
            Failure::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, "the database could not be copied")
                .detail(format!("{reason}."))
        }
        Refusal::NotAllowed { .. } => Failure::new(sqlstate::INSUFFICIENT_PRIVILEGE, refusal.to_string()),
        Refusal::DirectiveInvalid { .. } => {
            Failure::new(sqlstate::INVALID_PARAMETER_VALUE, refusal.to_string())
        }
        Refusal::NotLeader { .. }
        | Refusal::Unavailable { .. }
        | Refusal::Lost { .. }
        | Refusal::NoServer { .. }
        | Refusal::ControllersKept { .. }
        | Refusal::Behind { .. } => return None,
    };
    Some(failure)
}

fn rejection_text(rejection: &Rejection) -> String {
    match rejection {
        Rejection::NameTaken { name, .. } => format!("database \"{name}\" already exists"),
        other => other.to_string(),
    }
}

fn rejection_code(rejection: &Rejection) -> SqlState {
    match rejection {
        Rejection::NameTaken { .. } => sqlstate::DUPLICATE_DATABASE,
        Rejection::NameReserved { .. } => sqlstate::INVALID_NAME,
        Rejection::NameInvalid(NameError::TooLong { .. }) => sqlstate::NAME_TOO_LONG,
        Rejection::NameInvalid(NameError::Empty | NameError::Control) => sqlstate::INVALID_NAME,
        Rejection::DatabaseUnknown { .. } => sqlstate::INVALID_CATALOG_NAME,
        Rejection::UserUnknown { .. }
        | Rejection::ServerUnknown { .. }
        | Rejection::DirectiveUnknown { .. }
        | Rejection::PendingUnknown { .. } => sqlstate::UNDEFINED_OBJECT,
        Rejection::NotAllowed { .. } | Rejection::SecondPerson { .. } => sqlstate::INSUFFICIENT_PRIVILEGE,
        Rejection::DirectiveKnown { .. } => sqlstate::DUPLICATE_OBJECT,
        Rejection::EpochStale { .. } | Rejection::ServerNotUp { .. } => sqlstate::SERIALIZATION_FAILURE,
        Rejection::TooLong { .. }
        | Rejection::IdsExhausted { .. }
        | Rejection::DirectivesFull { .. }
        | Rejection::PendingFull { .. }
        | Rejection::SendersFull { .. } => sqlstate::PROGRAM_LIMIT_EXCEEDED,
        Rejection::Founded { .. }
        | Rejection::ServerNameTaken { .. }
        | Rejection::CapacityZero
        | Rejection::ServerDraining { .. }
        | Rejection::CannotAdopt { .. }
        | Rejection::LevelLow { .. } => sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
        Rejection::DatabaseKnown { .. } => sqlstate::DUPLICATE_DATABASE,
        Rejection::DatabaseForming { .. }
        | Rejection::DatabaseFormed { .. }
        | Rejection::DatabaseCopied { .. } => sqlstate::OBJECT_IN_USE,
    }
}

/// A request was canceled while it waited for a server.
pub(crate) fn canceled_waiting() -> Failure {
    Failure::new(sqlstate::QUERY_CANCELED, "canceling statement due to user request")
        .detail("It was waiting for a server and was not sent to any.")
}

/// A request was canceled while it ran.
pub(crate) fn canceled() -> Failure {
    Failure::new(sqlstate::QUERY_CANCELED, "canceling statement due to user request")
}

/// A request took longer than its database allows and was ended.
pub(crate) fn time_limit(limit: Duration, evidence: &str) -> Failure {
    Failure::new(sqlstate::QUERY_CANCELED, "canceling statement due to the database's time limit")
        .detail(format!("It took longer than {} ms; {evidence}.", limit.as_millis()))
        .hint("The limit is the database's option time_limit.")
}

/// As [`time_limit`], but its server does not say that it was ended.
pub(crate) fn time_limit_unconfirmed(limit: Duration, evidence: &str) -> Failure {
    Failure::new(
        sqlstate::STATEMENT_COMPLETION_UNKNOWN,
        "the statement exceeded the database's time limit and its server does not confirm its end",
    )
    .detail(format!("It took longer than {} ms; {evidence}.", limit.as_millis()))
    .hint("It may still take effect: look before you repeat it.")
}

/// An explicit transaction was cut before it could commit.
pub(crate) fn transaction_lost() -> Failure {
    Failure::new(
        sqlstate::SERIALIZATION_FAILURE,
        "the transaction was rolled back because its server is gone",
    )
    .detail("The database moved or its server failed before the transaction could commit.")
    .hint("Repeat the transaction.")
}

/// A request was cut, may have taken effect, and nobody can tell any more.
pub(crate) fn completion_unknown(why: &str) -> Failure {
    Failure::new(
        sqlstate::STATEMENT_COMPLETION_UNKNOWN,
        "the server was lost while it worked on this request",
    )
    .detail(format!("Whether the request took effect is unknown: {why}."))
    .hint("Look before you repeat it.")
}

/// A request was done, and its answer is gone.
pub(crate) fn done() -> Failure {
    Failure::new(
        sqlstate::STATEMENT_COMPLETION_UNKNOWN,
        "the request was done, but its answer was lost with its server",
    )
    .detail("The request was committed.")
    .hint("Do not repeat it.")
}

/// As [`done`], for a request whose transaction was committed by a later one.
pub(crate) fn done_in_transaction() -> Failure {
    Failure::new(
        sqlstate::STATEMENT_COMPLETION_UNKNOWN,
        "the answer to this request was lost with its server",
    )
    .detail("If it was part of the transaction that a later request has committed, it was committed with it.")
    .hint("Look before you repeat it.")
}

/// Why a request that had no effect is not done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotDone {
    /// A request after it was done.
    PassedOver,
    /// Its bytes are not at hand.
    NotKept,
    /// Several servers were lost over it.
    TooOften,
    /// The client has canceled it.
    Canceled,
}

/// A request was cut and certainly had no effect.
pub(crate) fn not_done(why: NotDone) -> Failure {
    let cut = |detail: &str| {
        Failure::new(sqlstate::SERIALIZATION_FAILURE, "the request was not done because its server was lost")
            .detail(detail)
            .hint("It had no effect. Send it again.")
    };
    match why {
        NotDone::PassedOver => {
            cut("A request that was sent after it is done already, and requests are not done out of order.")
        }
        NotDone::NotKept => cut("It was too long to be kept for another server, or sent data for COPY."),
        NotDone::TooOften => cut("Several servers in a row were lost while they worked on it."),
        NotDone::Canceled => {
            Failure::new(sqlstate::QUERY_CANCELED, "canceling statement due to user request")
                .detail("Its server was lost. It had no effect.")
        }
    }
}

/// The connection to the server was cut where the session cannot go on.
pub(crate) fn connection_lost() -> Failure {
    Failure::new(sqlstate::CONNECTION_FAILURE, "the server was lost in the middle of an answer")
        .detail("Whether the requests under way took effect is unknown.")
        .hint("Connect again, and look before you repeat them.")
}

/// The session has something that cannot be made again on another server.
pub(crate) fn pinned(pin: Pin) -> Failure {
    let what = match pin {
        Pin::Temporary => "a temporary table or an attached file",
        Pin::Prepared => "a statement prepared by SQL",
        Pin::Cursor => "a cursor WITH HOLD",
        Pin::Listen => "a channel it listens to",
        Pin::Statements => "more prepared statements than are kept",
        Pin::Settings => "more settings than are kept",
        Pin::Pipeline => "a pipeline too long to follow",
    };
    Failure::new(sqlstate::ADMIN_SHUTDOWN, "terminating connection because its server is gone")
        .detail(format!("The session had {what}, which cannot be moved to another server."))
        .hint("Connect again.")
}

/// `CREATE DATABASE` and the like, where they cannot be.
pub(crate) fn in_transaction(what: &str) -> Failure {
    Failure::new(sqlstate::ACTIVE_SQL_TRANSACTION, format!("{what} cannot run inside a transaction block"))
}

/// As [`in_transaction`], in the middle of a series of extended queries.
pub(crate) fn in_pipeline(what: &str) -> Failure {
    Failure::new(sqlstate::ACTIVE_SQL_TRANSACTION, format!("{what} cannot be executed within a pipeline"))
}

pub(crate) fn transaction_failed() -> Failure {
    Failure::new(
        sqlstate::IN_FAILED_SQL_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block",
    )
}

/// An error and its causes as one line.
fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use model::{DatabaseId, Name};

    use super::*;

    #[test]
    fn refusals_of_a_controller_get_the_sqlstates_that_drivers_know() {
        let name = Name::new("shop").expect("a name");
        let (database, server, reason) = (DatabaseId(1), name.clone(), "full".into());
        let cases: [(Refusal, &str, &str); 6] = [
            (Refusal::LoadFailed { database, server, reason }, "55000", "could not load"),
            (
                Rejection::NameTaken { name: name.clone(), database: DatabaseId(1) }.into(),
                "42P04",
                "\"shop\" already exists",
            ),
            (Rejection::NameReserved { name }.into(), "42602", "reserved"),
            (Rejection::DatabaseUnknown { database: DatabaseId(1) }.into(), "3D000", "db-1 does not exist"),
            (Refusal::DatabaseNameUnknown { name: "a".into() }, "3D000", "\"a\" does not exist"),
            (Refusal::Lost { reason: "x".into() }, "40003", "unknown"),
        ];
        for (refusal, code, text) in cases {
            let failure = not_operated(&refusal.into());
            assert_eq!(failure.code.as_str(), code, "{failure:?}");
            assert!(failure.message.contains(text), "{failure:?}");
        }
    }

    #[test]
    fn a_missing_route_says_what_is_missing() {
        let cases: [(rpc::Error, &str, &str); 3] = [
            (Refusal::NoServer { reason: "none is registered".into() }.into(), "57P03", "none is registered"),
            (Refusal::Unavailable { reason: "no quorum".into() }.into(), "57P03", "no quorum"),
            (rpc::Error::Timeout { address: "c:1".into(), timeout_ms: 5 }, "57P03", "c:1"),
        ];
        for (error, code, text) in cases {
            let failure = no_route("shop", &error);
            assert_eq!(failure.code.as_str(), code);
            assert!(failure.detail.as_deref().is_some_and(|detail| detail.contains(text)), "{failure:?}");
        }
    }

    #[test]
    fn positions_count_characters_from_one() {
        assert_eq!(position("größe x", "größe ".len()), Some(7));
        assert_eq!(position("a", 5), None);
    }
}
