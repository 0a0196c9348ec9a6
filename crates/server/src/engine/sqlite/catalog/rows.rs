//! Reading the rows of queries of our own.

use super::super::ffi::{Connection, Failure, Statement, ValueRef};

/// Runs a query with text parameters and makes something of each row.
pub(super) fn query<T>(
    connection: &Connection,
    sql: &str,
    parameters: &[&str],
    mut read: impl FnMut(&Row<'_>) -> T,
) -> Result<Vec<T>, Failure> {
    let compiled = connection.prepare(sql, false)?;
    let mut statement = compiled.statement.expect("BUG: a text of ours compiles to a statement");
    for (at, parameter) in parameters.iter().enumerate() {
        statement.bind(at + 1, ValueRef::Text(parameter.as_bytes()))?;
    }
    let mut rows = Vec::new();
    while statement.step()? {
        rows.push(read(&Row(&statement)));
    }
    Ok(rows)
}

/// The current row.
pub(super) struct Row<'a>(&'a Statement);

impl Row<'_> {
    /// 0 for anything that is no number.
    pub fn integer(&self, column: usize) -> i64 {
        match self.0.value(column) {
            ValueRef::Integer(value) => value,
            ValueRef::Real(value) => value as i64,
            ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => 0,
        }
    }

    pub fn is_true(&self, column: usize) -> bool {
        self.integer(column) != 0
    }

    /// `None` for NULL.
    pub fn optional(&self, column: usize) -> Option<String> {
        match self.0.value(column) {
            ValueRef::Null => None,
            ValueRef::Integer(value) => Some(value.to_string()),
            ValueRef::Real(value) => Some(value.to_string()),
            ValueRef::Text(value) | ValueRef::Blob(value) => {
                Some(String::from_utf8_lossy(value).into_owned())
            }
        }
    }

    /// Empty for NULL.
    pub fn text(&self, column: usize) -> String {
        self.optional(column).unwrap_or_default()
    }
}
