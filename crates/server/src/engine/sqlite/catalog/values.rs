//! Values for the cells of catalog tables.

use super::super::types::Value;

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Value::Text(text.clone())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Integer(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Value::Integer(value.into())
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Integer(value.into())
    }
}

impl From<i16> for Value {
    fn from(value: i16) -> Self {
        Value::Integer(value.into())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// Rows of some columns of a table; the others have their defaults.
#[derive(Debug)]
pub(super) struct Rows {
    pub columns: &'static [&'static str],
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    pub fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.columns.len(), "BUG: a row of {:?}", self.columns);
        self.rows.push(row);
    }
}

/// A row of values of any kind.
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($crate::engine::sqlite::types::Value::from($cell)),*] };
}
pub(super) use row;

/// `int2vector` and `oidvector`: numbers with spaces between.
pub(super) fn vector(numbers: impl IntoIterator<Item = i64>) -> String {
    numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
}

/// An array literal of numbers.
pub(super) fn array(numbers: &[i16]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}
