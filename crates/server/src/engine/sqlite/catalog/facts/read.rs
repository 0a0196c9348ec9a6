//! Reading the facts out of SQLite.

use std::collections::HashMap;

use super::super::super::ffi::{Connection, Failure};
use super::super::super::types::Type;
use super::super::rows::{Row, query};
use super::definition::{self, Definition};
use super::names::Names;
use super::oids::Entry;
use super::{Column, Facts, Index, Key, Relation, RelationKind, Trigger};

mod constraints;

/// Reads everything, main and temporary.
pub(in super::super) fn read(connection: &Connection) -> Result<Facts, Failure> {
    let mut facts = Facts::default();
    for schema in ["main", "temp"] {
        Reader::new(connection, schema, &mut facts)?.read(&mut facts)?;
    }
    constraints::link(&mut facts);
    Ok(facts)
}

/// Reads one of SQLite's schemas.
struct Reader<'a> {
    connection: &'a Connection,
    schema: &'static str,
    /// By name, of tables and views that are shown.
    entries: HashMap<String, Entry>,
    definitions: HashMap<u32, Definition>,
    names: Names,
}

/// A row of `pragma_table_xinfo`.
struct RawColumn {
    name: String,
    declared: String,
    not_null: bool,
    default: Option<String>,
    /// Position in the primary key from 1, else 0.
    key: i64,
    /// 1 for a hidden column of a virtual table; 2 and 3 for generated ones.
    hidden: i64,
}

/// A row of `pragma_index_list`.
struct RawIndex {
    table: String,
    name: String,
    unique: bool,
    /// `c` for CREATE INDEX, `u` and `pk` for constraints.
    origin: String,
    /// In the schema, 0 for the key of a table WITHOUT ROWID.
    row: i64,
    sql: Option<String>,
}

/// Parts that SQLite's own modules keep beside a virtual table.
const SHADOWS: &[&str] =
    &["config", "content", "data", "docsize", "idx", "node", "parent", "rowid", "segdir", "segments", "stat"];

impl<'a> Reader<'a> {
    fn new(connection: &'a Connection, schema: &'static str, facts: &mut Facts) -> Result<Self, Failure> {
        let mut reader = Self {
            connection,
            schema,
            entries: HashMap::new(),
            definitions: HashMap::new(),
            names: Names::default(),
        };
        reader.relations(facts)?;
        Ok(reader)
    }

    fn rows<T>(&self, sql: &str, read: impl FnMut(&Row<'_>) -> T) -> Result<Vec<T>, Failure> {
        query(self.connection, &sql.replace("$schema", self.schema), &[], read)
    }

    fn relations(&mut self, facts: &mut Facts) -> Result<(), Failure> {
        let temporary = self.schema == "temp";
        let sql = "SELECT rowid, name, type, sql FROM $schema.sqlite_schema
                   WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid";
        let read = |row: &Row<'_>| (row.integer(0), row.text(1), row.text(2) == "view", row.text(3));
        let rows = self.rows(sql, read)?;
        let is_virtual =
            |sql: &str| sql.get(..20).is_some_and(|start| start.eq_ignore_ascii_case("create virtual table"));
        let virtuals: Vec<String> =
            rows.iter().filter(|(.., sql)| is_virtual(sql)).map(|(_, name, ..)| format!("{name}_")).collect();
        let shadow = |name: &str| {
            virtuals.iter().any(|table| name.strip_prefix(table).is_some_and(|part| SHADOWS.contains(&part)))
        };
        for (row, name, view, sql) in rows.into_iter().filter(|(_, name, ..)| !shadow(name)) {
            let entry = Entry { row, temporary };
            let kind = if view { RelationKind::View } else { RelationKind::Table };
            if kind == RelationKind::Table {
                self.definitions.insert(entry.object(), definition::table(&sql));
            }
            self.entries.insert(name.clone(), entry);
            facts.relations.push(Relation {
                oid: entry.object(),
                name,
                kind,
                temporary,
                columns: Vec::new(),
                sql,
                rows: None,
            });
        }
        Ok(())
    }

    fn read(mut self, facts: &mut Facts) -> Result<(), Failure> {
        let keys = self.columns(facts)?;
        let indexes = self.index_list()?;
        let explicit = indexes.iter().filter(|index| index.origin == "c").map(|index| index.name.clone());
        self.names =
            Names::taken(facts.relations.iter().map(|relation| relation.name.clone()).chain(explicit));
        let made = self.indexes(indexes, facts)?;
        self.constraints(facts, &keys, &made)?;
        self.triggers(facts)?;
        self.counts(facts)
    }

    /// Fills the columns; returns the columns of each table's primary key.
    fn columns(&self, facts: &mut Facts) -> Result<HashMap<u32, Vec<i16>>, Failure> {
        let temporary = self.schema == "temp";
        let sql = "SELECT m.name, x.name, x.type, x.\"notnull\", x.dflt_value, x.pk, x.hidden
                   FROM $schema.sqlite_schema m JOIN pragma_table_xinfo(m.name, '$schema') x WHERE m.type = 'table'";
        let mut tables: HashMap<String, Vec<RawColumn>> = HashMap::new();
        for (table, column) in self.rows(sql, |row| (row.text(0), RawColumn::read(row, 1)))? {
            tables.entry(table).or_default().push(column);
        }
        let mut keys = HashMap::new();
        for relation in facts.relations.iter_mut().filter(|relation| relation.temporary == temporary) {
            let raw = match relation.kind {
                RelationKind::Table => tables.remove(&relation.name).unwrap_or_default(),
                RelationKind::View => self.view_columns(&relation.name),
            };
            let raw: Vec<RawColumn> = raw.into_iter().filter(|column| column.hidden != 1).collect();
            keys.insert(relation.oid, primary_key(&raw));
            let definition = self.definitions.get(&relation.oid);
            let rowid_key = rowid_key(&raw, &relation.sql);
            relation.columns = raw.into_iter().map(|raw| raw.column(definition, rowid_key)).collect();
        }
        Ok(keys)
    }

    /// A view over something that is gone has no columns.
    fn view_columns(&self, view: &str) -> Vec<RawColumn> {
        let sql = "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, ?2)";
        let columns = query(self.connection, sql, &[view, self.schema], |row| RawColumn::read(row, 0));
        columns.unwrap_or_else(|failure| {
            tracing::debug!(%failure, "a view cannot be described");
            Vec::new()
        })
    }

    fn index_list(&self) -> Result<Vec<RawIndex>, Failure> {
        let sql = "SELECT m.name, l.name, l.\"unique\", l.origin, i.rowid, i.sql
                   FROM $schema.sqlite_schema m JOIN pragma_index_list(m.name, '$schema') l
                   LEFT JOIN $schema.sqlite_schema i ON i.type = 'index' AND i.name = l.name
                   WHERE m.type = 'table' ORDER BY m.rowid, i.rowid";
        self.rows(sql, |row| RawIndex {
            table: row.text(0),
            name: row.text(1),
            unique: row.is_true(2),
            origin: row.text(3),
            row: row.integer(4),
            sql: row.optional(5),
        })
    }

    /// Adds the indexes of CREATE INDEX; returns those of constraints, which get their names with them.
    fn indexes(&self, list: Vec<RawIndex>, facts: &mut Facts) -> Result<Vec<(Index, String)>, Failure> {
        let sql = "SELECT l.name, k.cid, k.name, k.\"desc\", k.coll
                   FROM $schema.sqlite_schema m JOIN pragma_index_list(m.name, '$schema') l
                   JOIN pragma_index_xinfo(l.name, '$schema') k WHERE m.type = 'table' AND k.key ORDER BY l.name, k.seqno";
        let mut keys: HashMap<String, Vec<Key>> = HashMap::new();
        for (index, key) in self.rows(sql, |row| (row.text(0), read_key(row)))? {
            keys.entry(index).or_default().push(key);
        }
        let mut made = Vec::new();
        for raw in list {
            let Some(table) = self.entries.get(&raw.table) else { continue };
            let (texts, predicate) = raw.sql.as_deref().map(definition::index).unwrap_or_default();
            let mut index = Index {
                oid: if raw.row == 0 { table.key() } else { Entry { row: raw.row, ..*table }.object() },
                table: table.object(),
                unique: raw.unique,
                primary: raw.origin == "pk",
                keys: keys.remove(&raw.name).unwrap_or_default(),
                stored: if raw.row == 0 { String::new() } else { raw.name.clone() },
                name: raw.name,
                predicate,
            };
            for (key, text) in index.keys.iter_mut().zip(texts) {
                if key.column == 0 {
                    key.text = text;
                }
            }
            if raw.origin == "c" { facts.indexes.push(index) } else { made.push((index, raw.origin)) }
        }
        Ok(made)
    }

    fn triggers(&self, facts: &mut Facts) -> Result<(), Failure> {
        let sql = "SELECT rowid, name, tbl_name, sql FROM $schema.sqlite_schema WHERE type = 'trigger' ORDER BY rowid";
        let temporary = self.schema == "temp";
        for (row, name, table, sql) in
            self.rows(sql, |row| (row.integer(0), row.text(1), row.text(2), row.text(3)))?
        {
            let table = facts.named(&table).map_or(0, |relation| relation.oid);
            facts.triggers.push(Trigger { oid: Entry { row, temporary }.object(), name, table, sql });
        }
        Ok(())
    }

    /// What ANALYZE has counted.
    fn counts(&self, facts: &mut Facts) -> Result<(), Failure> {
        let exists = self.rows("SELECT 1 FROM $schema.sqlite_schema WHERE name = 'sqlite_stat1'", |_| ())?;
        if exists.is_empty() {
            return Ok(());
        }
        let rows = self.rows("SELECT tbl, CAST(stat AS INTEGER) FROM $schema.sqlite_stat1", |row| {
            (row.text(0), row.integer(1))
        })?;
        for (table, count) in rows {
            let entry = self.entries.get(&table).map(|entry| entry.object());
            let relation = facts.relations.iter_mut().find(|relation| Some(relation.oid) == entry);
            relation.into_iter().for_each(|relation| relation.rows = Some(count));
        }
        Ok(())
    }
}

impl RawColumn {
    fn read(row: &Row<'_>, from: usize) -> Self {
        Self {
            name: row.text(from),
            declared: row.text(from + 1),
            not_null: row.is_true(from + 2),
            default: row.optional(from + 3),
            key: row.integer(from + 4),
            hidden: row.integer(from + 5),
        }
    }

    fn column(self, definition: Option<&Definition>, rowid_key: bool) -> Column {
        let identity = rowid_key && self.key > 0;
        let text = definition
            .and_then(|text| text.columns.iter().find(|column| column.name.eq_ignore_ascii_case(&self.name)));
        let collation = text.and_then(|text| text.collation.as_deref()).map(str::to_uppercase);
        Column {
            ty: if text.is_some_and(|text| text.big) {
                Type::INT8
            } else {
                Type::declared(&self.declared).unwrap_or(Type::TEXT)
            },
            not_null: self.not_null || self.key > 0,
            default: self.default,
            generated: text.and_then(|text| text.generated.clone()),
            collation: collation.filter(|name| name != "BINARY"),
            identity,
            name: self.name,
        }
    }
}

/// Numbers of the primary key's columns, in its order.
fn primary_key(columns: &[RawColumn]) -> Vec<i16> {
    let mut key: Vec<(i64, i16)> = columns
        .iter()
        .zip(1..)
        .filter(|(column, _)| column.key > 0)
        .map(|(column, number)| (column.key, number))
        .collect();
    key.sort_unstable();
    key.into_iter().map(|(_, number)| number).collect()
}

/// Whether the primary key is the row's number: one column of exactly this type, in a table that has such numbers.
fn rowid_key(columns: &[RawColumn], sql: &str) -> bool {
    let mut keys = columns.iter().filter(|column| column.key > 0);
    let integer = keys.next().is_some_and(|column| column.declared.eq_ignore_ascii_case("integer"));
    integer && keys.next().is_none() && !without_rowid(sql)
}

fn without_rowid(sql: &str) -> bool {
    let options = sql.rsplit(')').next().unwrap_or_default().to_ascii_lowercase();
    options.split_whitespace().any(|word| word.trim_matches(',') == "rowid")
}

fn read_key(row: &Row<'_>) -> Key {
    let column = row.integer(1);
    let collation = row.text(4);
    Key {
        column: if column >= 0 { i16::try_from(column + 1).unwrap_or(0) } else { 0 },
        text: row.text(2),
        descending: row.is_true(3),
        collation: (!collation.is_empty() && collation != "BINARY").then_some(collation),
    }
}
