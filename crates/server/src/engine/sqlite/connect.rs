//! How a connection to an image is set up, for sessions, for the commit side, and to create an image.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;

use super::ffi::{Connection, Failure, ValueRef};
use crate::engine::{EngineError, Limits};

/// Bytes per page of new images. Journals carry pages: small ones keep single commits small.
const PAGE_BYTES: u32 = 4096;
/// Nesting of expressions.
const EXPRESSION_DEPTH_MAX: i32 = 500;
/// Terms of a compound SELECT, of which each costs stack.
const COMPOUND_TERMS_MAX: i32 = 500;
/// Instructions of a compiled statement: bounds the memory of a single preparation.
const INSTRUCTIONS_MAX: i32 = 1_000_000;
/// Levels of triggers.
const TRIGGER_DEPTH_MAX: i32 = 100;
/// Parameters of a statement: the protocol counts them in 16 bits.
const PARAMETERS_MAX: i32 = 65_535;
/// The catalogs `pg_catalog` and `information_schema`, and one for VACUUM.
const ATTACHED_MAX: i32 = 3;

/// Opens the image for the commit side: reads the log, checkpoints, never writes SQL.
pub(super) fn for_commits(path: &Path) -> Result<Connection, Failure> {
    let connection = Connection::open(path, false)?;
    connection.execute(
        "PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-64;
         SELECT count(*) FROM sqlite_schema;",
    )?;
    Ok(connection)
}

/// Opens the image for a session.
pub(super) fn for_session(path: &Path, limits: &Limits) -> Result<Connection, Failure> {
    let mut connection = Connection::open(path, false)?;
    connection.name_main_public()?;
    let pages_max = limits.size_bytes_max / page_bytes(&connection)?;
    connection.execute(&format!(
        "PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=0; PRAGMA foreign_keys=ON; PRAGMA case_sensitive_like=ON;
         PRAGMA recursive_triggers=ON; PRAGMA busy_timeout=0; PRAGMA cache_size=-{}; PRAGMA max_page_count={};",
        limits.session_cache_bytes / 1024,
        pages_max.clamp(1, u64::from(u32::MAX) - 1),
    ))?;
    configure(&mut connection, limits).map_err(|error| Failure {
        code: 1,
        message: error.to_string(),
        offset: None,
    })?;
    Ok(connection)
}

fn configure(connection: &mut Connection, limits: &Limits) -> rusqlite::Result<()> {
    let binding = connection.binding();
    for (setting, on) in [
        // Double quotes are for names only, as in PostgreSQL.
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        // The schema's own tables are out of reach, whatever the pragma says.
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
    ] {
        binding.set_db_config(setting, on)?;
    }
    let value_bytes_max = i32::try_from(limits.value_bytes_max).unwrap_or(i32::MAX);
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, value_bytes_max),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, value_bytes_max),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH_MAX),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, COMPOUND_TERMS_MAX),
        (Limit::SQLITE_LIMIT_VDBE_OP, INSTRUCTIONS_MAX),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, TRIGGER_DEPTH_MAX),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, PARAMETERS_MAX),
        (Limit::SQLITE_LIMIT_ATTACHED, ATTACHED_MAX),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        binding.set_limit(limit, value)?;
    }
    Ok(())
}

/// Bytes per page of the open image.
pub(super) fn page_bytes(connection: &Connection) -> Result<u64, Failure> {
    integer(connection, "PRAGMA page_size")
}

/// The first column of the first row, as a count.
pub(super) fn integer(connection: &Connection, sql: &str) -> Result<u64, Failure> {
    let compiled = connection.prepare(sql, false)?;
    let mut statement = compiled.statement.expect("BUG: a text of ours compiles to a statement");
    statement.step()?;
    Ok(match statement.value(0) {
        ValueRef::Integer(value) => u64::try_from(value).unwrap_or(0),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => 0,
    })
}

/// Writes the image of an empty database.
pub(super) fn create_image(path: &Path) -> Result<(), EngineError> {
    let exists = || EngineError::File {
        action: "create the image",
        path: path.to_owned(),
        source: std::io::ErrorKind::AlreadyExists.into(),
    };
    if path.exists() {
        return Err(exists());
    }
    let create = || {
        let connection = Connection::open(path, true)?;
        connection.execute(&format!(
            "PRAGMA page_size={PAGE_BYTES}; PRAGMA encoding='UTF-8'; PRAGMA journal_mode=WAL;"
        ))?;
        connection.checkpoint().map(|_| ())
    };
    create()
        .map_err(|failure: Failure| EngineError::Open { path: path.to_owned(), reason: failure.to_string() })
}

/// The first column of the first row as text; empty when there is none.
pub(super) fn text(connection: &Connection, sql: &str) -> Result<String, Failure> {
    let compiled = connection.prepare(sql, false)?;
    let mut statement = compiled.statement.expect("BUG: a text of ours compiles to a statement");
    if !statement.step()? {
        return Ok(String::new());
    }
    Ok(match statement.value(0) {
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => String::new(),
    })
}
