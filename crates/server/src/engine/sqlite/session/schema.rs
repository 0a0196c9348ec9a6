//! What the session knows about tables: read when first needed, forgotten when the schema changes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::super::catalog::tables;
use super::super::ffi::{Connection, Failure, ValueRef};
use super::super::infer::{OutColumn, Tables};
use super::super::lexer::{quote_name, quote_text};
use super::super::rewrite::Schema;
use super::super::tokens::Tokens;
use super::super::types::Type;
use super::plan::Generation;

/// The first identifier of user tables, as in PostgreSQL; a table's is this plus its row in SQLite's schema table.
pub(in super::super) const FIRST_OID: u32 = 16_384;

/// A table or view.
#[derive(Debug)]
pub(super) struct Table {
    pub oid: u32,
    pub columns: Vec<OutColumn>,
}

/// Tables by lower-case name; `None` for names known to be unknown.
#[derive(Debug, Default)]
pub(super) struct Known {
    generation: Option<Generation>,
    tables: HashMap<String, Option<Arc<Table>>>,
}

/// A look at the schema during planning.
pub(super) struct View<'a> {
    connection: &'a Connection,
    known: &'a RefCell<Known>,
}

impl<'a> View<'a> {
    pub fn new(connection: &'a Connection, known: &'a RefCell<Known>, generation: Generation) -> Self {
        let mut table = known.borrow_mut();
        if table.generation != Some(generation) {
            *table = Known { generation: Some(generation), tables: HashMap::new() };
        }
        drop(table);
        Self { connection, known }
    }

    pub fn table(&self, name: &str) -> Option<Arc<Table>> {
        let key = name.to_ascii_lowercase();
        if let Some(known) = self.known.borrow().tables.get(&key) {
            return known.clone();
        }
        // A name that cannot be read is not known; whoever uses it gets SQLite's error.
        let table = self.load(name).ok().flatten().map(Arc::new);
        self.known.borrow_mut().tables.insert(key, table.clone());
        table
    }

    fn load(&self, name: &str) -> Result<Option<Table>, Failure> {
        let rows = self.rows(
            &format!("SELECT rowid, sql FROM sqlite_schema WHERE name = {} COLLATE NOCASE AND type IN ('table', 'view')", quote_text(name)),
            2,
        )?;
        let (oid, sql) = match rows.first().map(Vec::as_slice) {
            Some([Some(row), sql]) => (FIRST_OID + row.parse().unwrap_or(0), sql.clone().unwrap_or_default()),
            _temporary_or_catalog => (0, String::new()),
        };
        if let (None, Some(columns)) = (rows.first(), tables::columns(None, name)) {
            return Ok(Some(Table { oid, columns: known_columns(columns) }));
        }
        let compiled = self.connection.prepare(&format!("SELECT * FROM {}", quote_name(name)), false)?;
        let Some(statement) = compiled.statement else { return Ok(None) };
        let big = big_serial(&sql);
        let column = |at| {
            let name = statement.column_name(at);
            let ty = statement.declared_type(at).and_then(|declared| Type::declared(&declared));
            let ty = if big.as_deref() == Some(name.as_str()) { Some(Type::INT8) } else { ty };
            OutColumn { name, ty, computed: false }
        };
        let columns = (0..statement.column_count()).map(column).collect();
        Ok(Some(Table { oid, columns }))
    }

    fn rows(&self, sql: &str, columns: usize) -> Result<Vec<Vec<Option<String>>>, Failure> {
        let mut rows = Vec::new();
        let Some(mut statement) = self.connection.prepare(sql, false)?.statement else { return Ok(rows) };
        while statement.step()? {
            let text = |column| match statement.value(column) {
                ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Integer(value) => Some(value.to_string()),
                ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => None,
            };
            rows.push((0..columns).map(text).collect());
        }
        Ok(rows)
    }

    /// One text column of a query of ours; nothing when it fails.
    fn names(&self, sql: &str) -> Vec<String> {
        self.rows(sql, 1).unwrap_or_default().into_iter().flatten().flatten().collect()
    }
}

/// Columns of the catalogs.
fn known_columns(columns: &[(&str, Type)]) -> Vec<OutColumn> {
    let column =
        |(name, ty): &(&str, Type)| OutColumn { name: (*name).to_owned(), ty: Some(*ty), computed: false };
    columns.iter().map(column).collect()
}

/// `id INTEGER CONSTRAINT bigserial PRIMARY KEY`: SQLite's row ids must be declared INTEGER, and this keeps that more was meant.
pub(in super::super) fn big_serial(sql: &str) -> Option<String> {
    let mut tokens = Tokens::statement(sql, sql.find('(')? + 1);
    let mut column = tokens.name().ok()?;
    while !tokens.is_empty() {
        if tokens.eat("constraint") && tokens.name().is_ok_and(|name| name == "bigserial") {
            return Some(column);
        }
        if tokens.is("(") {
            tokens.skip_group().ok()?;
        } else if tokens.take(",") {
            column = tokens.name().ok()?;
        } else {
            tokens.advance();
        }
    }
    None
}

impl Tables for View<'_> {
    fn columns(&self, table: &str) -> Option<Vec<OutColumn>> {
        self.table(table).map(|table| table.columns.clone())
    }

    fn columns_in(&self, schema: &str, table: &str) -> Option<Vec<OutColumn>> {
        tables::columns(Some(schema), table).map(known_columns).or_else(|| Tables::columns(self, table))
    }
}

impl Schema for View<'_> {
    fn columns(&self, table: &str) -> Option<Vec<String>> {
        self.table(table).map(|table| table.columns.iter().map(|column| column.name.clone()).collect())
    }

    fn typed_columns(&self, table: &str) -> Option<Vec<OutColumn>> {
        Tables::columns(self, table)
    }

    fn is_users(&self, table: &str) -> bool {
        self.table(table).is_some_and(|table| table.oid != 0)
    }

    fn constraint(&self, table: &str, name: &str) -> Option<Vec<String>> {
        let quoted = quote_text(table);
        let primary =
            self.names(&format!("SELECT name FROM pragma_table_info({quoted}) WHERE pk > 0 ORDER BY pk"));
        if name == format!("{table}_pkey") && !primary.is_empty() {
            return Some(primary);
        }
        let indexes = self.names(&format!("SELECT name FROM pragma_index_list({quoted}) WHERE \"unique\""));
        let columns = |index: &String| {
            self.names(&format!("SELECT name FROM pragma_index_info({})", quote_text(index)))
        };
        let matches =
            |index: &&String| *index == name || format!("{table}_{}_key", columns(index).join("_")) == name;
        indexes.iter().find(matches).map(columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_big_serial_is_recognised_by_its_constraint() {
        let sql = "CREATE TABLE \"t\" (a TEXT CHECK (a > ','), \"id\" INTEGER CONSTRAINT \"bigserial\" PRIMARY KEY, b INT)";
        assert_eq!(big_serial(sql).as_deref(), Some("id"));
        assert_eq!(big_serial("CREATE TABLE t (id INTEGER PRIMARY KEY)"), None);
        assert_eq!(big_serial(""), None);
    }
}
