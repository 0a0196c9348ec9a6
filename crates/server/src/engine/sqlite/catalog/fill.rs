//! Keeping the attached tables as fresh as the statement that reads them needs.
//!
//! The attached database is part of whatever transaction is open: a rollback undoes what was filled in it. A number that is
//! written with the rows (`user_version`) tells whether they are still those of the last fill.

use std::collections::HashMap;

use super::super::ffi::{Connection, Failure};
use super::super::lexer::quote_name;
use super::super::types::Value;
use super::context::Context;
use super::facts::Facts;
use super::mention::Mention;
use super::rows::query;
use super::sources::{self, Freshness, relations};
use super::tables::{SCHEMA, Table};
use super::values::Rows;

/// Bytes per page of the attached database: most of its tables fit into one.
const PAGE_BYTES: u32 = 1024;

/// What stands in the attached tables.
#[derive(Debug, Default)]
pub(super) struct Filled {
    attached: bool,
    /// Written with the rows of the last fill.
    stamp: i64,
    /// For each table with rows, the state of the schema they are of.
    tables: HashMap<&'static str, SchemaVersion>,
    own_columns: bool,
}

/// SQLite's counts of changes to the schema, which a rollback takes back, and the session's own, which never returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SchemaVersion {
    main: i64,
    temporary: i64,
    local: u64,
}

impl SchemaVersion {
    pub fn current(connection: &Connection, local: u64) -> Result<Self, Failure> {
        let main = pragma(connection, "main.schema_version")?;
        Ok(Self { main, temporary: pragma(connection, "temp.schema_version")?, local })
    }
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, Failure> {
    let rows = query(connection, &format!("PRAGMA {name}"), &[], |row| row.integer(0))?;
    Ok(rows.first().copied().unwrap_or(0))
}

impl Filled {
    /// Makes the tables that a statement mentions right. The session's guard must trust.
    pub fn refresh(
        &mut self,
        connection: &Connection,
        mention: &Mention,
        version: SchemaVersion,
        facts: &Facts,
        context: &Context,
    ) -> Result<(), Failure> {
        self.attach(connection)?;
        if pragma(connection, &format!("{SCHEMA}.user_version"))? != self.stamp {
            self.tables.clear();
            self.own_columns = false;
        }
        let wants_own = mention.wants_own_columns() && !self.own_columns;
        let stale: Vec<&Table> =
            mention.tables().filter(|table| self.is_stale(table, version, wants_own)).collect();
        if stale.is_empty() {
            return Ok(());
        }
        connection.execute("SAVEPOINT \"catalog\"")?;
        let filled = self.fill(connection, &stale, mention, facts, context);
        if filled.is_err() {
            connection.execute("ROLLBACK TO \"catalog\"")?;
        }
        connection.execute("RELEASE \"catalog\"")?;
        filled?;
        self.tables.extend(stale.iter().map(|table| (table.stored.as_str(), version)));
        Ok(())
    }

    fn attach(&mut self, connection: &Connection) -> Result<(), Failure> {
        if self.attached {
            return Ok(());
        }
        connection
            .execute(&format!("ATTACH ':memory:' AS {SCHEMA}; PRAGMA {SCHEMA}.page_size={PAGE_BYTES}"))?;
        self.attached = true;
        Ok(())
    }

    fn is_stale(&self, table: &Table, version: SchemaVersion, wants_own: bool) -> bool {
        let Some(filled) = self.tables.get(table.stored.as_str()) else { return true };
        match sources::find(table).map(|source| source.freshness) {
            None | Some(Freshness::Fixed) => false,
            Some(Freshness::Schema) => *filled != version || (wants_own && table.name == "pg_attribute"),
            Some(Freshness::Statement) => true,
        }
    }

    fn fill(
        &mut self,
        connection: &Connection,
        stale: &[&Table],
        mention: &Mention,
        facts: &Facts,
        context: &Context,
    ) -> Result<(), Failure> {
        for table in stale {
            let declaration = table.declaration().replacen("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS ", 1);
            connection.execute(&declaration)?;
            let Some(source) = sources::find(table) else { continue };
            connection.execute(&format!("DELETE FROM {SCHEMA}.{}", quote_name(&table.stored)))?;
            insert(connection, table, (source.rows)(facts, context))?;
            if table.name == "pg_attribute" && (self.own_columns || mention.wants_own_columns()) {
                insert(connection, table, relations::own_attributes())?;
                self.own_columns = true;
            }
        }
        self.stamp += 1;
        connection.execute(&format!("PRAGMA {SCHEMA}.user_version={}", self.stamp))
    }
}

fn insert(connection: &Connection, table: &Table, rows: Rows) -> Result<(), Failure> {
    if rows.rows.is_empty() {
        return Ok(());
    }
    let columns: Vec<String> = rows.columns.iter().map(|column| quote_name(column)).collect();
    let places = vec!["?"; columns.len()].join(",");
    let sql = format!(
        "INSERT OR REPLACE INTO {SCHEMA}.{} ({}) VALUES ({places})",
        quote_name(&table.stored),
        columns.join(",")
    );
    let compiled = connection.prepare(&sql, false)?;
    let mut statement = compiled.statement.expect("BUG: a text of ours compiles to a statement");
    for row in rows.rows {
        for (at, value) in row.iter().map(Value::as_ref).enumerate() {
            statement.bind(at + 1, value)?;
        }
        statement.step()?;
        statement.rewind();
    }
    Ok(())
}
