//! SQLite behind the PostgreSQL wire.
//!
//! The contract is *SQLite's SQL over PostgreSQL's protocol*, with a rewriter for the spellings that clients use most, types by
//! declaration, PostgreSQL's errors, and the catalogs that tools read. `POSTGRESQL.md` beside this crate says what differs.
//!
//! Each session has a connection of its own. Reads run on their own snapshots; who writes holds the database's one
//! [`WriterPermit`](super::WriterPermit). The file is a cache of the journal: nothing is synced, and committed pages leave
//! through [`super::Database::take`].

mod capture;
mod catalog;
mod command;
mod connect;
mod copy;
mod database;
mod ddl;
mod ffi;
pub mod foreign;
mod functions;
mod guard;
pub mod image;
mod infer;
mod lexer;
mod rewrite;
mod session;
mod sql;
mod sql_error;
mod tokens;
mod translate;
mod types;

use std::path::Path;
use std::sync::Arc;

use self::database::SqliteDatabase;
use super::{Clock, Database, Engine, EngineError, Limits};

/// Opens SQLite images.
pub struct SqliteEngine {
    clock: Arc<dyn Clock>,
}

impl SqliteEngine {
    /// An engine that reads the time from `clock`.
    ///
    /// `memory_bytes_max` bounds what SQLite allocates in the whole process; zero leaves it open. Statements beyond it fail
    /// with 53200.
    pub fn new(clock: Arc<dyn Clock>, memory_bytes_max: u64) -> Self {
        ffi::limit_memory(memory_bytes_max);
        Self { clock }
    }
}

impl Engine for SqliteEngine {
    fn create_image(&self, path: &Path) -> Result<(), EngineError> {
        connect::create_image(path)
    }

    fn open(&self, path: &Path, limits: &Limits) -> Result<Arc<dyn Database>, EngineError> {
        let database = SqliteDatabase::open(path, limits.clone(), Arc::clone(&self.clock))?;
        Ok(Arc::new(database))
    }
}
