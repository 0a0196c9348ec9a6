//! The functions that go with the catalogs.
//!
//! They look into the facts of the newest refresh, which the statement that calls them has just made. What has no meaning here
//! (comments, rules, partitions) is NULL, as PostgreSQL answers for objects that do not have it.

mod definitions;
pub(super) mod names;
mod privileges;
pub(super) mod sizes;

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::functions::{Context as Call, FunctionFlags};
use rusqlite::types::{Value as Sql, ValueRef};

use super::super::ffi::Connection;
use super::super::sql_error::SqlError;
use super::context::Context;
use super::facts::Facts;

/// The facts that functions see.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Arc<Facts>>>);

impl Shared {
    pub fn get(&self) -> Arc<Facts> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set(&self, facts: Facts) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(facts);
    }
}

/// Adds functions to a connection.
struct Registrar<'a> {
    connection: &'a rusqlite::Connection,
    facts: Shared,
    context: Context,
}

pub(super) fn register(
    connection: &mut Connection,
    facts: &Shared,
    context: &Context,
) -> rusqlite::Result<()> {
    let registrar =
        Registrar { connection: connection.binding(), facts: facts.clone(), context: context.clone() };
    definitions::register(&registrar)?;
    names::register(&registrar)?;
    privileges::register(&registrar)?;
    sizes::register(&registrar)
}

impl Registrar<'_> {
    /// A function that sees the facts, with any of these numbers of arguments.
    fn with_facts(
        &self,
        name: &str,
        counts: &[i32],
        function: impl Fn(&Facts, &Arguments<'_, '_>) -> Sql + Send + Copy + 'static,
    ) -> rusqlite::Result<()> {
        for count in counts {
            let facts = self.facts.clone();
            self.add(name, *count, move |arguments| function(&facts.get(), arguments))?;
        }
        Ok(())
    }

    /// A function that sees the session.
    fn with_context(
        &self,
        name: &str,
        counts: &[i32],
        function: impl Fn(&Context, &Arguments<'_, '_>) -> Sql + Send + Copy + 'static,
    ) -> rusqlite::Result<()> {
        for count in counts {
            let context = self.context.clone();
            self.add(name, *count, move |arguments| function(&context, arguments))?;
        }
        Ok(())
    }

    /// Functions that always give the same.
    fn constant(&self, names: &[&str], counts: &[i32], value: &Sql) -> rusqlite::Result<()> {
        for (name, count) in names.iter().flat_map(|name| counts.iter().map(move |count| (name, count))) {
            let value = value.clone();
            self.add(name, *count, move |_| value.clone())?;
        }
        Ok(())
    }

    fn add(
        &self,
        name: &str,
        count: i32,
        function: impl Fn(&Arguments<'_, '_>) -> Sql + Send + 'static,
    ) -> rusqlite::Result<()> {
        self.fallible(name, count, move |arguments| Ok(function(arguments)))
    }

    /// The error's state goes in front of its words, where the engine's translation finds it.
    fn fallible(
        &self,
        name: &str,
        count: i32,
        function: impl Fn(&Arguments<'_, '_>) -> Result<Sql, SqlError> + Send + 'static,
    ) -> rusqlite::Result<()> {
        let failed = |error: SqlError| {
            rusqlite::Error::UserFunctionError(format!("{}:{}", error.state, error.message).into())
        };
        let flags = FunctionFlags::SQLITE_UTF8;
        self.connection.create_scalar_function(name, count, flags, move |call| {
            function(&Arguments(call)).map_err(failed)
        })
    }
}

/// The arguments of a call.
struct Arguments<'a, 'b>(&'a Call<'b>);

impl Arguments<'_, '_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_null(&self, at: usize) -> bool {
        matches!(self.0.get_raw(at), ValueRef::Null)
    }

    /// A whole number; `None` for NULL and for anything else.
    fn integer(&self, at: usize) -> Option<i64> {
        match self.0.get_raw(at) {
            ValueRef::Integer(value) => Some(value),
            ValueRef::Real(value) => Some(value as i64),
            ValueRef::Text(_) => self.text(at)?.trim().parse().ok(),
            ValueRef::Null | ValueRef::Blob(_) => None,
        }
    }

    fn oid(&self, at: usize) -> Option<u32> {
        self.integer(at).and_then(|value| u32::try_from(value).ok())
    }

    /// Text of whatever is stored; `None` for NULL.
    fn text(&self, at: usize) -> Option<String> {
        match self.0.get_raw(at) {
            ValueRef::Null => None,
            ValueRef::Integer(value) => Some(value.to_string()),
            ValueRef::Real(value) => Some(value.to_string()),
            ValueRef::Text(value) | ValueRef::Blob(value) => {
                Some(String::from_utf8_lossy(value).into_owned())
            }
        }
    }

    /// Missing, NULL, 0 and `false` are false.
    fn flag(&self, at: usize) -> bool {
        at < self.len()
            && match self.0.get_raw(at) {
                ValueRef::Integer(value) => value != 0,
                ValueRef::Text(value) => matches!(value, b"t" | b"true" | b"on" | b"1"),
                ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => false,
            }
    }
}

fn text(value: impl Into<String>) -> Sql {
    Sql::Text(value.into())
}

/// NULL for nothing.
fn optional(value: Option<String>) -> Sql {
    value.map_or(Sql::Null, Sql::Text)
}

fn number(value: Option<u32>) -> Sql {
    value.map_or(Sql::Null, |value| Sql::Integer(value.into()))
}

fn boolean(value: bool) -> Sql {
    Sql::Integer(value.into())
}
