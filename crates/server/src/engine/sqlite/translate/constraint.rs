//! Constraint violations: SQLite names table and columns, PostgreSQL the constraint.

use rusqlite::ffi;
use wire::{SqlState, sqlstate};

use super::super::ddl::parse;
use super::super::ddl::spec::{ConstraintKind, ConstraintSpec, TableSpec};
use super::super::ffi::{Connection, Failure, ValueRef};
use super::super::lexer::quote_text;
use super::super::sql_error::SqlError;
use super::super::tokens::Tokens;

pub(super) fn translate(failure: &Failure, connection: &Connection, sql: &str) -> SqlError {
    let about = failure.message.split_once(" failed: ").map_or("", |(_, about)| about);
    match failure.code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            unique(about, connection)
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => not_null(about),
        ffi::SQLITE_CONSTRAINT_CHECK => check(about, sql),
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => foreign_key(connection, sql),
        ffi::SQLITE_CONSTRAINT_TRIGGER => SqlError::new(RAISED, failure.message.clone()),
        ffi::SQLITE_CONSTRAINT_DATATYPE => {
            SqlError::new(sqlstate::DATATYPE_MISMATCH, failure.message.clone())
        }
        _other => SqlError::new(sqlstate::INTEGRITY_CONSTRAINT_VIOLATION, failure.message.clone()),
    }
}

/// P0001: what RAISE in a function of PostgreSQL gives.
const RAISED: SqlState = match SqlState::new("P0001") {
    Some(state) => state,
    None => panic!("BUG: not a SQLSTATE"),
};

/// About `t.a, t.b` or `index 'i'`.
fn unique(about: &str, connection: &Connection) -> SqlError {
    let violates = |constraint: &str| {
        let message = format!("duplicate key value violates unique constraint \"{constraint}\"");
        SqlError::new(sqlstate::UNIQUE_VIOLATION, message).constraint(constraint)
    };
    if let Some(index) = about.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\'')) {
        return violates(index);
    }
    let pairs: Vec<(&str, &str)> = about.split(", ").filter_map(|pair| pair.split_once('.')).collect();
    let Some((table, _)) = pairs.first() else { return violates("unknown") };
    let columns: Vec<&str> = pairs.iter().map(|(_, column)| *column).collect();
    let constraint = unique_name(connection, table, &columns);
    violates(&constraint).table(*table).detail(format!("Key ({}) already exists.", columns.join(", ")))
}

/// The name of the unique index on exactly these columns, or the one PostgreSQL would have chosen.
pub(in super::super) fn unique_name(connection: &Connection, table: &str, columns: &[&str]) -> String {
    let primary = primary_key(connection, table);
    if primary.iter().map(String::as_str).eq(columns.iter().copied()) {
        return format!("{table}_pkey");
    }
    let sql = format!(
        "SELECT l.name, l.origin, group_concat(i.name, ', ') FROM pragma_index_list({}) l, pragma_index_info(l.name) i
         WHERE l.\"unique\" GROUP BY l.name",
        quote_text(table)
    );
    let wanted = columns.join(", ");
    if let Some(name) = declared_name(connection, table, columns) {
        return name;
    }
    let rows = texts(connection, &sql, 3);
    let named = rows.iter().find(|row| row[1] == "c" && row[2] == wanted).map(|row| row[0].clone());
    named.unwrap_or_else(|| format!("{table}_{}_key", columns.join("_")))
}

/// The definition that SQLite keeps.
fn definition(connection: &Connection, table: &str) -> Option<TableSpec> {
    let sql = format!(
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = {} COLLATE NOCASE",
        quote_text(table)
    );
    parse::stored(texts(connection, &sql, 1).first()?.first()?)
}

/// The name that CREATE TABLE gives to a unique constraint.
fn declared_name(connection: &Connection, table: &str, columns: &[&str]) -> Option<String> {
    let constraints = definition(connection, table)?.all_constraints();
    let unique = |(constraint, of): &(ConstraintSpec, Vec<String>)| {
        let same = of.iter().map(String::as_str).eq(columns.iter().copied());
        (same && matches!(constraint.kind, ConstraintKind::Unique(_)))
            .then(|| constraint.name.clone())
            .flatten()
    };
    constraints.iter().find_map(unique)
}

/// The name of the only foreign key of a table.
fn only_foreign_key(connection: &Connection, table: &str) -> Option<String> {
    let constraints = definition(connection, table)?.all_constraints();
    let mut foreign = constraints
        .iter()
        .filter(|(constraint, _)| matches!(constraint.kind, ConstraintKind::Foreign { .. }));
    let (constraint, columns) = foreign.next()?;
    foreign.next().is_none().then(|| constraint.full_name(table, columns))
}

fn primary_key(connection: &Connection, table: &str) -> Vec<String> {
    let sql = format!("SELECT name FROM pragma_table_info({}) WHERE pk > 0 ORDER BY pk", quote_text(table));
    texts(connection, &sql, 1).into_iter().flatten().collect()
}

/// Rows of a query of our own; none when it fails, as this only adds to a message.
fn texts(connection: &Connection, sql: &str, columns: usize) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let Ok(Some(mut statement)) = connection.prepare(sql, false).map(|compiled| compiled.statement) else {
        return rows;
    };
    while let Ok(true) = statement.step() {
        let text = |column| match statement.value(column) {
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => String::new(),
        };
        rows.push((0..columns).map(text).collect());
    }
    rows
}

/// About `t.a`.
fn not_null(about: &str) -> SqlError {
    let (table, column) = about.split_once('.').unwrap_or(("", about));
    let message =
        format!("null value in column \"{column}\" of relation \"{table}\" violates not-null constraint");
    SqlError::new(sqlstate::NOT_NULL_VIOLATION, message).table(table).column(column)
}

/// About the constraint's name, or its expression where it has none.
fn check(about: &str, sql: &str) -> SqlError {
    let table = target(sql).unwrap_or_default();
    let named = !about.is_empty() && about.chars().all(|c| c.is_alphanumeric() || c == '_');
    let constraint = if named { about.to_owned() } else { format!("{table}_check") };
    let message = format!("new row for relation \"{table}\" violates check constraint \"{constraint}\"");
    let error = SqlError::new(sqlstate::CHECK_VIOLATION, message).table(table).constraint(constraint);
    if named { error } else { error.detail(format!("Failing expression: {about}.")) }
}

/// SQLite does not say which one.
fn foreign_key(connection: &Connection, sql: &str) -> SqlError {
    let first = Tokens::statement(sql, 0).name().unwrap_or_default();
    let verb = if first == "delete" || first == "drop" { "update or delete" } else { "insert or update" };
    let Some(table) = target(sql) else {
        return SqlError::new(sqlstate::FOREIGN_KEY_VIOLATION, "a foreign key constraint is violated");
    };
    let message = format!("{verb} on table \"{table}\" violates foreign key constraint");
    let own = verb.starts_with("insert");
    match only_foreign_key(connection, &table).filter(|_| own) {
        Some(name) => SqlError::new(sqlstate::FOREIGN_KEY_VIOLATION, format!("{message} \"{name}\""))
            .table(table)
            .constraint(name),
        None => SqlError::new(sqlstate::FOREIGN_KEY_VIOLATION, message).table(table),
    }
}

/// The table that an INSERT, UPDATE or DELETE is about.
fn target(sql: &str) -> Option<String> {
    let mut tokens = Tokens::statement(sql, 0);
    while !tokens.is_empty() {
        let verb = tokens.eat("into") || tokens.eat("from") || tokens.eat_all(&["drop", "table"]);
        let update = !verb && tokens.eat("update");
        if update && tokens.eat("or") {
            tokens.advance();
        }
        if verb || update {
            return tokens.qualified_name().ok().map(|(_, name)| name);
        }
        tokens.advance();
    }
    None
}
