//! A plan with its parameters, on its way through its rows.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use wire::Format;
use wire::backend::DataRow;

use super::super::ffi::{Statement, ValueRef};
use super::super::sql_error::SqlError;
use super::super::types::{Type, Value, binary, text};
use super::copying::CopyIn;
use super::plan::Plan;

/// A statement being run, or about to be.
pub(super) struct Portal {
    pub plan: Arc<Plan>,
    pub parameters: Vec<Value>,
    /// One per column.
    pub formats: Vec<Format>,
    /// One per column; where the plan did not know, settled by the first row.
    pub types: Vec<Type>,
    pub state: State,
    pub cursor: Option<Cursor>,
}

/// A portal made by DECLARE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Survives its transaction.
    pub hold: bool,
}

/// How far a portal is.
pub(super) enum State {
    Ready,
    /// SQLite is between two rows; `row` tells that the next one is already there.
    Open {
        statement: Statement,
        row: bool,
    },
    /// Rows kept here: of the session's own statements, and of cursors that outlive their snapshot.
    Stored(VecDeque<Vec<Value>>),
    /// Rows come from the client.
    CopyIn(Box<CopyIn>),
    Done,
}

impl Portal {
    /// A portal whose results go as text.
    pub fn new(plan: Arc<Plan>, parameters: Vec<Value>) -> Self {
        let types = plan.columns.iter().map(super::plan::Column::type_or_text).collect();
        let formats = vec![Format::Text; plan.columns.len()];
        Self { plan, parameters, formats, types, state: State::Ready, cursor: None }
    }

    /// A portal that returns rows of text.
    pub fn stored(plan: Arc<Plan>, rows: Vec<Vec<Option<String>>>) -> Self {
        let value = |cell: Option<String>| cell.map_or(Value::Null, Value::Text);
        let rows = rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect();
        Self { state: State::Stored(rows), ..Self::new(plan, Vec::new()) }
    }

    /// Types that only values can tell, from the first row.
    pub fn settle_types(&mut self) {
        let State::Open { statement, row: true } = &self.state else { return };
        for (at, column) in self.plan.columns.iter().enumerate() {
            if column.ty.is_none() {
                self.types[at] = match statement.value(at) {
                    ValueRef::Integer(value) if i32::try_from(value).is_ok() => Type::INT4,
                    ValueRef::Integer(_) => Type::INT8,
                    ValueRef::Real(_) => Type::FLOAT8,
                    ValueRef::Blob(_) => Type::BYTEA,
                    ValueRef::Text(_) | ValueRef::Null => Type::TEXT,
                };
            }
        }
    }
}

/// Appends one DataRow; on an error nothing of it remains.
pub(super) fn write_row<'a>(
    out: &mut BytesMut,
    types: &[Type],
    formats: &[Format],
    value: impl Fn(usize) -> ValueRef<'a>,
) -> Result<(), SqlError> {
    let mut row = DataRow::begin(out);
    for (at, ty) in types.iter().enumerate() {
        match value(at) {
            ValueRef::Null => row.null(),
            value => row.value_with(|out| match formats.get(at) {
                Some(Format::Binary) => binary::write(*ty, value, out),
                Some(Format::Text) | None => {
                    text::write(*ty, value, out);
                    Ok(())
                }
            })?,
        }
    }
    Ok(row.finish()?)
}
