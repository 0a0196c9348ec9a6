//! PostgreSQL's catalogs over a SQLite database, for the tools that look into them.
//!
//! `pg_catalog` is an attached in-memory database of real tables, one per session, made and filled when a statement first
//! [mentions] one of them and refreshed when the schema has changed. Tables of `information_schema` stand in it too, under
//! names that cannot be met by chance. Everything shown is derived from [`facts::Facts`], which are read from SQLite's own
//! schema; nothing is stored in the database's file, and the session's guard refuses to write to the catalogs.

mod context;
mod definitions;
mod facts;
mod fill;
mod functions;
mod mention;
mod procs;
pub(super) mod rewrite;
mod rows;
mod sources;
pub(super) mod tables;
mod types;
mod values;

pub(super) use self::context::Context;
use self::fill::{Filled, SchemaVersion};
use self::functions::Shared;
pub(super) use self::mention::{Mention, is_function, mentions};
use super::ffi::{Connection, Failure};
use super::guard::Guard;

/// A session's catalogs; nothing of them exists before the first mention.
pub(super) struct Catalog {
    context: Context,
    facts: Shared,
    /// Of the facts; `None` before they were first read.
    version: Option<SchemaVersion>,
    registered: bool,
    filled: Filled,
}

impl Catalog {
    pub fn new(context: Context) -> Self {
        Self {
            context,
            facts: Shared::default(),
            version: None,
            registered: false,
            filled: Filled::default(),
        }
    }

    /// Makes everything right that a statement mentions: to be called before it is compiled and before it is run.
    /// `local` has counted every change of the schema by this session, undone ones too.
    ///
    /// # Errors
    /// What SQLite says, such as a full disk or no memory.
    pub fn prepare(
        &mut self,
        connection: &mut Connection,
        guard: &Guard,
        mention: &Mention,
        local: u64,
    ) -> Result<(), Failure> {
        if !self.registered {
            functions::register(connection, &self.facts, &self.context)
                .map_err(|_| connection.last_failure())?;
            self.registered = true;
        }
        guard.trust(true);
        let refreshed = self.refresh(connection, mention, local);
        guard.trust(false);
        refreshed
    }

    fn refresh(&mut self, connection: &Connection, mention: &Mention, local: u64) -> Result<(), Failure> {
        let version = SchemaVersion::current(connection, local)?;
        if self.version != Some(version) {
            self.facts.set(facts::read(connection)?);
            self.version = Some(version);
        }
        self.filled.refresh(connection, mention, version, &self.facts.get(), &self.context)
    }
}

#[cfg(test)]
mod tests;
