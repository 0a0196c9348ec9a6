//! A statement understood: what it does, its parameters and its columns.

use std::sync::Arc;

use bytes::BytesMut;
use wire::{Format, Oid, backend};

use super::super::catalog::Mention;
use super::super::command::Command;
use super::super::sql_error::SqlError;
use super::super::types::Type;

/// One statement, ready to be run any number of times.
#[derive(Debug)]
pub(super) struct Plan {
    /// What the client sent; positions of errors count in it.
    pub text: Arc<str>,
    pub action: Action,
    pub parameters: Vec<Type>,
    /// Empty when it returns no rows.
    pub columns: Vec<Column>,
    /// The query of a DECLARE or COPY.
    pub inner: Option<Arc<Plan>>,
    /// The schema it was compiled for.
    pub generation: Generation,
    /// Whether it will be run more than once.
    pub keep: bool,
}

impl Plan {
    /// Whether running it may commit, before the series that it stands in has ended.
    pub fn commits_at_once(&self) -> bool {
        matches!(self.action, Action::Command(Command::Commit { .. } | Command::Rebuild))
    }

    /// Whether it is SQL that needs the writer permit.
    pub fn writes(&self) -> bool {
        matches!(&self.action, Action::Sql(sql) if sql.writes)
    }
}

/// What a plan does.
#[derive(Debug)]
pub(super) enum Action {
    /// An empty text.
    Empty,
    /// SQL for SQLite.
    Sql(SqlPlan),
    /// The session's own.
    Command(Command),
}

/// SQL in the form that SQLite takes.
#[derive(Debug)]
pub(super) struct SqlPlan {
    /// Run first, in the same transaction.
    pub before: Vec<Arc<str>>,
    pub sql: Arc<str>,
    /// Needs the writer permit.
    pub writes: bool,
    pub changes_schema: bool,
    /// May call `pg_sleep`, which takes effect after the statement: a write then must not have committed.
    pub sleeps: bool,
    pub tag: Tag,
    /// For each of SQLite's parameters, which of the plan's it is.
    pub binding: Vec<usize>,
    pub source: SourceMap,
    /// What it reads of the catalogs.
    pub catalog: Option<Mention>,
}

/// Where the pieces of the SQL come from in the client's text: (offset in SQL, offset in text), ascending.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceMap(pub Vec<(usize, usize)>);

impl SourceMap {
    /// The text starts at `at` and is unchanged.
    pub fn shifted(at: usize) -> Self {
        Self(vec![(0, at)])
    }

    /// Where a byte of the SQL stands in the client's text.
    pub fn position(&self, offset: usize) -> usize {
        let piece = self.0.iter().rev().find(|(start, _)| *start <= offset);
        piece.map_or(offset, |(start, source)| source + (offset - start))
    }
}

/// Counts changes of the schema: committed ones, and the session's own of the open transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation {
    pub committed: u64,
    pub local: u64,
}

/// The word in CommandComplete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tag {
    /// With the number of rows returned.
    Select,
    Insert,
    /// `UPDATE` or `DELETE`, with the number of rows changed.
    Changes(&'static str),
    /// Without a number.
    Word(String),
}

/// One column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub name: String,
    /// `None` when only the values can tell.
    pub ty: Option<Type>,
    /// Table and position in it, 0 for expressions.
    pub table: u32,
    pub attribute: i16,
}

impl Column {
    /// A text column of no table.
    pub fn text(name: &str) -> Self {
        Self { name: name.to_owned(), ty: Some(Type::TEXT), table: 0, attribute: 0 }
    }

    pub fn type_or_text(&self) -> Type {
        self.ty.unwrap_or(Type::TEXT)
    }
}

/// Appends RowDescription with a format for each column.
pub(super) fn describe(
    columns: &[Column],
    types: &[Type],
    formats: &[Format],
    out: &mut BytesMut,
) -> Result<(), SqlError> {
    let described = columns.iter().enumerate().map(|(at, column)| {
        let ty = types.get(at).copied().unwrap_or_else(|| column.type_or_text());
        backend::Column {
            table: Oid(column.table),
            attribute: column.attribute,
            type_modifier: ty.modifier,
            format: formats.get(at).copied().unwrap_or(Format::Text),
            ..backend::Column::new(&column.name, ty.oid)
        }
    });
    Ok(backend::row_description(out, described)?)
}
