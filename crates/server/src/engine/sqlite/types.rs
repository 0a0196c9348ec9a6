//! PostgreSQL types over SQLite's five storage classes.
//!
//! A column's type is what its declaration says ([`Type::declared`]); a value's is whatever SQLite stored.
//! [`text`] and [`binary`] write a stored value as a column of a type, [`input`] reads a parameter.
//! What is stored: booleans as 0 and 1, dates and times as ISO 8601 text in UTC, UUID and JSON as text, arrays as
//! PostgreSQL's array literals; numbers, text and bytes as themselves.

pub(super) mod array;
pub(super) mod binary;
pub(super) mod datetime;
mod declared;
pub(super) mod input;
pub(super) mod interval;
pub(super) mod names;
mod numeric;
pub(super) mod text;

use wire::{Oid, oid};

/// A type with its modifier, as RowDescription has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Type {
    pub oid: Oid,
    /// Such as a length plus 4; -1 for none.
    pub modifier: i32,
}

impl Type {
    pub const fn new(oid: Oid) -> Self {
        Self { oid, modifier: -1 }
    }

    pub const BOOL: Self = Self::new(oid::BOOL);
    pub const BYTEA: Self = Self::new(oid::BYTEA);
    pub const INT4: Self = Self::new(oid::INT4);
    pub const INT8: Self = Self::new(oid::INT8);
    pub const FLOAT8: Self = Self::new(oid::FLOAT8);
    pub const NUMERIC: Self = Self::new(oid::NUMERIC);
    pub const TEXT: Self = Self::new(oid::TEXT);

    /// Digits after the point of a `numeric(p, s)`; `None` where any number of them may come.
    pub fn scale(self) -> Option<usize> {
        if self.oid != oid::NUMERIC || self.modifier < 4 {
            return None;
        }
        usize::try_from((self.modifier - 4) & 0x7ff).ok()
    }
}

/// A value to be bound to a statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl Value {
    pub fn as_ref(&self) -> super::ffi::ValueRef<'_> {
        use super::ffi::ValueRef;
        match self {
            Value::Null => ValueRef::Null,
            Value::Integer(value) => ValueRef::Integer(*value),
            Value::Real(value) => ValueRef::Real(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
            Value::Blob(value) => ValueRef::Blob(value),
        }
    }
}

impl From<super::ffi::ValueRef<'_>> for Value {
    fn from(value: super::ffi::ValueRef<'_>) -> Self {
        use super::ffi::ValueRef;
        match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(value) => Value::Integer(value),
            ValueRef::Real(value) => Value::Real(value),
            ValueRef::Text(value) => Value::Text(String::from_utf8_lossy(value).into_owned()),
            ValueRef::Blob(value) => Value::Blob(value.to_vec()),
        }
    }
}

impl Value {
    /// About what it takes in memory.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Value::Null | Value::Integer(_) | Value::Real(_) => 0,
                Value::Text(text) => text.len(),
                Value::Blob(bytes) => bytes.len(),
            }
    }
}
