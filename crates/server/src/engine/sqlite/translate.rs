//! SQLite's failures in PostgreSQL's words.
//!
//! SQLite has one code for most mistakes in a text and says the rest in English; its wording is part of what we test, so that a
//! new SQLite with other words is noticed.

mod constraint;

use rusqlite::ffi;
use wire::{SqlState, sqlstate};

use super::ffi::{Connection, Failure};
use super::sql_error::SqlError;

/// The error for a failure while `sql` (as SQLite saw it) was compiled or run. Its position counts in `sql`.
pub(super) fn translate(failure: &Failure, connection: &Connection, sql: &str) -> SqlError {
    let error = match failure.primary() {
        ffi::SQLITE_ERROR => mistake(failure, sql),
        ffi::SQLITE_CONSTRAINT => constraint::translate(failure, connection, sql),
        ffi::SQLITE_MISMATCH => SqlError::new(sqlstate::DATATYPE_MISMATCH, "datatype mismatch")
            .detail("A rowid or a LIMIT must be an integer."),
        ffi::SQLITE_TOOBIG => plain(sqlstate::PROGRAM_LIMIT_EXCEEDED, "string or blob too big"),
        ffi::SQLITE_FULL => {
            plain(sqlstate::DISK_FULL, "could not extend the database: its size limit is reached")
        }
        ffi::SQLITE_NOMEM => plain(sqlstate::OUT_OF_MEMORY, "out of memory"),
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => {
            SqlError::new(sqlstate::DATA_CORRUPTED, failure.message.clone())
        }
        ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN => {
            SqlError::new(sqlstate::IO_ERROR, failure.message.clone())
        }
        ffi::SQLITE_READONLY => {
            plain(sqlstate::READ_ONLY_SQL_TRANSACTION, "cannot execute this in a read-only transaction")
        }
        ffi::SQLITE_AUTH => denied(failure),
        ffi::SQLITE_INTERRUPT => plain(sqlstate::QUERY_CANCELED, "canceling statement due to user request"),
        ffi::SQLITE_BUSY if failure.code == ffi::SQLITE_BUSY_SNAPSHOT => {
            plain(sqlstate::SERIALIZATION_FAILURE, "could not serialize access due to concurrent update")
        }
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => {
            plain(sqlstate::LOCK_NOT_AVAILABLE, "the database is locked")
        }
        ffi::SQLITE_RANGE => plain(sqlstate::UNDEFINED_PARAMETER, "there is no such parameter"),
        _other => SqlError::new(sqlstate::INTERNAL_ERROR, failure.message.clone()),
    };
    match failure.offset {
        Some(offset) if error.at.is_none() => error.at(offset),
        _known => error,
    }
}

fn plain(state: SqlState, message: &str) -> SqlError {
    SqlError::new(state, message)
}

fn denied(failure: &Failure) -> SqlError {
    let what = failure.message.as_str();
    let error = plain(sqlstate::INSUFFICIENT_PRIVILEGE, "permission denied");
    if what == "not authorized" { error } else { error.detail(what) }
}

/// Code 1: the words decide.
fn mistake(failure: &Failure, sql: &str) -> SqlError {
    let message = failure.message.as_str();
    if let Some(error) = syntax(message, failure.offset, sql) {
        return error;
    }
    if let Some(error) = ours(message) {
        return error;
    }
    for (start, end, state, text) in PATTERNS {
        if let Some(name) = message.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)) {
            let name = name.strip_prefix("public.").unwrap_or(name);
            return SqlError::new(*state, text.replace("{}", name));
        }
    }
    if let Some(column) = message.strip_prefix("no such column: ") {
        return no_such_column(column);
    }
    if let Some(rest) = message.strip_prefix("table ") {
        return about_table(rest).unwrap_or_else(|| SqlError::new(sqlstate::SYNTAX_ERROR, message));
    }
    let state = STATES
        .iter()
        .find(|(part, _)| message.contains(part))
        .map_or(sqlstate::SYNTAX_ERROR, |(_, state)| *state);
    SqlError::new(state, message)
}

/// Messages made by our own functions carry their state in front: `22P02:invalid input …`.
fn ours(message: &str) -> Option<SqlError> {
    let (state, text) = message.split_at_checked(5)?;
    let text = text.strip_prefix(':')?;
    SqlState::new(state).map(|state| SqlError::new(state, text))
}

fn syntax(message: &str, offset: Option<usize>, sql: &str) -> Option<SqlError> {
    if message == "incomplete input" {
        return Some(SqlError::syntax(sql, sql.trim_end().len()..sql.trim_end().len()));
    }
    if let Some(token) =
        message.strip_prefix("near \"").and_then(|rest| rest.strip_suffix("\": syntax error"))
    {
        let error = SqlError::new(sqlstate::SYNTAX_ERROR, format!("syntax error at or near \"{token}\""));
        return Some(offset.into_iter().fold(error, SqlError::at));
    }
    let token = message.strip_prefix("unrecognized token: \"")?.strip_suffix('"')?;
    let what = if token.starts_with('\'') { "unterminated quoted string" } else { "syntax error" };
    Some(SqlError::new(sqlstate::SYNTAX_ERROR, format!("{what} at or near \"{token}\"")))
}

/// Start and end of SQLite's message, and PostgreSQL's.
const PATTERNS: &[(&str, &str, SqlState, &str)] = &[
    ("no such table: ", "", sqlstate::UNDEFINED_TABLE, "relation \"{}\" does not exist"),
    ("no such view: ", "", sqlstate::UNDEFINED_TABLE, "view \"{}\" does not exist"),
    ("no such index: ", "", sqlstate::UNDEFINED_OBJECT, "index \"{}\" does not exist"),
    ("no such trigger: ", "", sqlstate::UNDEFINED_OBJECT, "trigger \"{}\" does not exist"),
    ("no such function: ", "", sqlstate::UNDEFINED_FUNCTION, "function {}() does not exist"),
    (
        "no such collation sequence: ",
        "",
        sqlstate::UNDEFINED_OBJECT,
        "collation \"{}\" for encoding \"UTF8\" does not exist",
    ),
    ("no such savepoint: ", "", sqlstate::INVALID_SAVEPOINT_SPECIFICATION, "savepoint \"{}\" does not exist"),
    ("no such database: ", "", sqlstate::INVALID_SCHEMA_NAME, "schema \"{}\" does not exist"),
    ("unknown database ", "", sqlstate::INVALID_SCHEMA_NAME, "schema \"{}\" does not exist"),
    ("unknown database: ", "", sqlstate::INVALID_SCHEMA_NAME, "schema \"{}\" does not exist"),
    ("ambiguous column name: ", "", sqlstate::AMBIGUOUS_COLUMN, "column reference \"{}\" is ambiguous"),
    ("duplicate column name: ", "", sqlstate::DUPLICATE_COLUMN, "column \"{}\" specified more than once"),
    (
        "wrong number of arguments to function ",
        "",
        sqlstate::UNDEFINED_FUNCTION,
        "function {} does not exist",
    ),
    ("misuse of aggregate: ", "", sqlstate::GROUPING_ERROR, "aggregate functions are not allowed here: {}"),
    (
        "misuse of aggregate function ",
        "",
        sqlstate::GROUPING_ERROR,
        "aggregate functions are not allowed here: {}",
    ),
    ("misuse of window function ", "", sqlstate::SYNTAX_ERROR, "window functions are not allowed here: {}"),
    ("there is already a table named ", "", sqlstate::DUPLICATE_TABLE, "relation \"{}\" already exists"),
    ("there is already an index named ", "", sqlstate::DUPLICATE_TABLE, "relation \"{}\" already exists"),
    (
        "there is already another table or index with this name: ",
        "",
        sqlstate::DUPLICATE_TABLE,
        "relation \"{}\" already exists",
    ),
    ("index ", " already exists", sqlstate::DUPLICATE_TABLE, "relation \"{}\" already exists"),
    ("view ", " already exists", sqlstate::DUPLICATE_TABLE, "relation \"{}\" already exists"),
    ("trigger ", " already exists", sqlstate::DUPLICATE_OBJECT, "trigger \"{}\" already exists"),
    ("use DROP TABLE to delete table ", "", sqlstate::WRONG_OBJECT_TYPE, "\"{}\" is not a view"),
    ("use DROP VIEW to delete view ", "", sqlstate::WRONG_OBJECT_TYPE, "\"{}\" is not a table"),
    (
        "cannot modify ",
        " because it is a view",
        sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
        "cannot change view \"{}\"",
    ),
    ("object name reserved for internal use: ", "", sqlstate::INVALID_NAME, "the name \"{}\" is reserved"),
];

/// A part of SQLite's message, and the state where its own words stay.
const STATES: &[(&str, SqlState)] = &[
    ("integer overflow", sqlstate::NUMERIC_VALUE_OUT_OF_RANGE),
    ("values were supplied", sqlstate::SYNTAX_ERROR),
    ("not authorized", sqlstate::INSUFFICIENT_PRIVILEGE),
    ("prohibited", sqlstate::INSUFFICIENT_PRIVILEGE),
    ("may not be", sqlstate::INSUFFICIENT_PRIVILEGE),
    ("malformed JSON", sqlstate::INVALID_TEXT_REPRESENTATION),
    ("JSON", sqlstate::INVALID_PARAMETER_VALUE),
    ("too many", sqlstate::PROGRAM_LIMIT_EXCEEDED),
    ("too large", sqlstate::STATEMENT_TOO_COMPLEX),
    ("parser stack overflow", sqlstate::STATEMENT_TOO_COMPLEX),
    ("LIKE or GLOB pattern too complex", sqlstate::STATEMENT_TOO_COMPLEX),
    ("ESCAPE expression", sqlstate::INVALID_ESCAPE_SEQUENCE),
    ("aggregate", sqlstate::GROUPING_ERROR),
    ("foreign key mismatch", sqlstate::INVALID_TABLE_DEFINITION),
    ("ON CONFLICT clause does not match", sqlstate::INVALID_TABLE_DEFINITION),
    ("cannot VACUUM from within a transaction", sqlstate::ACTIVE_SQL_TRANSACTION),
    ("database table is locked", sqlstate::OBJECT_IN_USE),
    ("cannot", sqlstate::FEATURE_NOT_SUPPORTED),
    ("not supported", sqlstate::FEATURE_NOT_SUPPORTED),
];

/// `x`, `t.x`, and SQLite's hint after a double-quoted text.
fn no_such_column(column: &str) -> SqlError {
    let name = column.split(" - should this be").next().unwrap_or(column).trim_matches('"');
    let quoted = if name.contains('.') { name.to_owned() } else { format!("\"{name}\"") };
    SqlError::new(sqlstate::UNDEFINED_COLUMN, format!("column {quoted} does not exist"))
}

/// Messages that begin with `table `.
fn about_table(rest: &str) -> Option<SqlError> {
    if let Some(name) = rest.strip_suffix(" already exists") {
        return Some(SqlError::new(
            sqlstate::DUPLICATE_TABLE,
            format!("relation {} already exists", quoted(name)),
        ));
    }
    if let Some((table, column)) = rest.split_once(" has no column named ") {
        let message = format!("column \"{column}\" of relation \"{table}\" does not exist");
        return Some(SqlError::new(sqlstate::UNDEFINED_COLUMN, message).table(table));
    }
    if let Some((table, counts)) = rest.split_once(" has ") {
        let (columns, values) = counts.split_once(" columns but ")?;
        let values: usize = values.strip_suffix(" values were supplied")?.parse().ok()?;
        if values > columns.parse().ok()? {
            return Some(
                SqlError::new(sqlstate::SYNTAX_ERROR, "INSERT has more expressions than target columns")
                    .table(table),
            );
        }
        return Some(
            SqlError::new(sqlstate::SYNTAX_ERROR, "INSERT has fewer expressions than target columns")
                .table(table)
                .hint(
                    "Unlike PostgreSQL, an INSERT without a column list must give a value for every column.",
                ),
        );
    }
    if let Some(table) = rest.strip_suffix(" may not be modified") {
        return Some(SqlError::new(
            sqlstate::INSUFFICIENT_PRIVILEGE,
            format!("permission denied: \"{table}\" is a system catalog"),
        ));
    }
    None
}

fn quoted(name: &str) -> String {
    if name.starts_with('"') { name.to_owned() } else { format!("\"{name}\"") }
}
