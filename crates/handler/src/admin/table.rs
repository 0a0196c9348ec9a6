//! Results as tables, and how they are written.

use bytes::{BufMut, BytesMut};
use wire::{
    Error, Format, Oid,
    backend::{Column as WireColumn, DataRow, row_description},
    oid,
};

use crate::failure::Failure;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int4,
    Int8,
    Bool,
    Oid,
    Void,
}

impl Kind {
    fn oid(self) -> Oid {
        match self {
            Self::Text => oid::TEXT,
            Self::Int4 => oid::INT4,
            Self::Int8 => oid::INT8,
            Self::Bool => oid::BOOL,
            Self::Oid => oid::OID,
            Self::Void => oid::VOID,
        }
    }
}

/// One column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

impl Column {
    pub(crate) fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// One value; its variant fits its column's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Text(String),
    Int(i64),
    Bool(bool),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row.
pub(crate) type Row = Vec<Cell>;

/// What a statement gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    /// The command tag; for statements that return rows their number is added.
    pub(crate) tag: String,
    pub(crate) notices: Vec<Failure>,
}

impl Answer {
    /// A command without rows.
    pub(crate) fn done(tag: impl Into<String>) -> Self {
        Self { tag: tag.into(), ..Self::default() }
    }

    /// Rows.
    pub(crate) fn rows(tag: impl Into<String>, rows: Vec<Row>) -> Self {
        Self { rows, tag: tag.into(), notices: Vec::new() }
    }
}

/// Formats that a client asked for: none is text for all, one is that one for all, else one each.
pub(crate) fn format_of(formats: &[Format], column: usize) -> Format {
    match formats {
        [] => Format::Text,
        [one] => *one,
        many => many.get(column).copied().unwrap_or_default(),
    }
}

/// Writes RowDescription.
///
/// # Errors
/// A column's name cannot be sent.
pub(crate) fn write_columns(out: &mut BytesMut, columns: &[Column], formats: &[Format]) -> Result<(), Error> {
    let described = columns.iter().enumerate().map(|(index, column)| WireColumn {
        format: format_of(formats, index),
        ..WireColumn::new(&column.name, column.kind.oid())
    });
    row_description(out, described)
}

/// Writes DataRow.
///
/// # Errors
/// The row is too long.
pub(crate) fn write_row(
    out: &mut BytesMut,
    columns: &[Column],
    formats: &[Format],
    row: &[Cell],
) -> Result<(), Error> {
    let mut written = DataRow::begin(out);
    for (index, cell) in row.iter().enumerate() {
        let kind = columns.get(index).map_or(Kind::Text, |column| column.kind);
        match (cell, format_of(formats, index)) {
            (Cell::Null, _) => written.null(),
            (Cell::Text(text), _) => written.value(text.as_bytes())?,
            (Cell::Int(value), Format::Text) => written.value(value.to_string().as_bytes())?,
            (Cell::Bool(value), Format::Text) => written.value(if *value { b"t" } else { b"f" })?,
            (Cell::Bool(value), Format::Binary) => written.value(&[u8::from(*value)])?,
            (Cell::Int(value), Format::Binary) => written.value_with(|out| {
                match kind {
                    Kind::Int4 | Kind::Oid => out.put_i32(i32::try_from(*value).unwrap_or(i32::MAX)),
                    Kind::Text | Kind::Int8 | Kind::Bool | Kind::Void => out.put_i64(*value),
                }
                Ok::<(), Error>(())
            })?,
        }
    }
    written.finish()
}
