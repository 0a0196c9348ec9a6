//! PostgreSQL's functions as SQLite functions, registered on every session's connection.
//!
//! Names with `pg_` that PostgreSQL does not have are what the rewriter turns operators and special forms into.
//! None of them may get into a table's definition: files stay readable by plain SQLite (see [`is_ours`]).

mod aggregate;
mod array;
mod cast;
mod datetime;
mod format;
mod json;
mod like;
mod math;
mod md5;
mod regex;
mod session;
mod text;
mod to_char;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value as Sql, ValueRef as SqlRef};

pub(super) use self::session::Facts;
use super::catalog;
use super::ffi::{Connection, ValueRef};
use super::sql_error::SqlError;
use super::types::{Type, text as text_format};

/// What a function returns.
type Returned = Result<Sql, SqlError>;

/// Registers everything.
pub(super) fn register(connection: &mut Connection, facts: &Facts) -> rusqlite::Result<()> {
    let registrar = Registrar { connection: connection.binding() };
    text::register(&registrar)?;
    regex::register(&registrar)?;
    like::register(&registrar)?;
    format::register(&registrar)?;
    math::register(&registrar)?;
    datetime::register(&registrar, facts)?;
    to_char::register(&registrar)?;
    array::register(&registrar)?;
    json::register(&registrar)?;
    cast::register(&registrar)?;
    aggregate::register(&registrar)?;
    session::register(&registrar, facts)
}

/// Whether a function of this name exists here but not in plain SQLite.
pub(super) fn is_ours(name: &str) -> bool {
    // Overridden, not added: they exist in both.
    const SHARED: &[&str] = &["random", "current_timestamp"];
    let lists = [
        to_char::NAMES,
        text::NAMES,
        regex::NAMES,
        math::NAMES,
        datetime::NAMES,
        array::NAMES,
        json::NAMES,
        session::NAMES,
        aggregate::NAMES,
    ];
    name.starts_with("pg_")
        || catalog::is_function(name)
        || (!SHARED.contains(&name) && lists.iter().any(|names| names.contains(&name)))
}

/// Adds functions to a connection.
struct Registrar<'a> {
    connection: &'a rusqlite::Connection,
}

impl Registrar<'_> {
    /// A function of its arguments alone; NULL when any of them is.
    fn strict(
        &self,
        name: &str,
        count: i32,
        function: impl Fn(&Arguments<'_, '_>) -> Returned + Send + 'static,
    ) -> rusqlite::Result<()> {
        self.pure(
            name,
            count,
            move |arguments| if arguments.any_null() { Ok(Sql::Null) } else { function(arguments) },
        )
    }

    /// A function of its arguments alone, that looks at NULLs itself.
    fn pure(
        &self,
        name: &str,
        count: i32,
        function: impl Fn(&Arguments<'_, '_>) -> Returned + Send + 'static,
    ) -> rusqlite::Result<()> {
        self.add(name, count, FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC, function)
    }

    /// A function whose value may differ from call to call.
    fn volatile(
        &self,
        name: &str,
        count: i32,
        function: impl Fn(&Arguments<'_, '_>) -> Returned + Send + 'static,
    ) -> rusqlite::Result<()> {
        self.add(name, count, FunctionFlags::SQLITE_UTF8, function)
    }

    fn add(
        &self,
        name: &str,
        count: i32,
        flags: FunctionFlags,
        function: impl Fn(&Arguments<'_, '_>) -> Returned + Send + 'static,
    ) -> rusqlite::Result<()> {
        self.connection.create_scalar_function(name, count, flags, move |context| {
            function(&Arguments(context)).map_err(user_error)
        })
    }
}

/// The state goes in front of the words, where [`super::translate`] finds it.
fn user_error(error: SqlError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(format!("{}:{}", error.state, error.message).into())
}

/// The arguments of a call.
struct Arguments<'a, 'b>(&'a Context<'b>);

impl Arguments<'_, '_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn any_null(&self) -> bool {
        (0..self.len()).any(|at| self.is_null(at))
    }

    fn is_null(&self, at: usize) -> bool {
        matches!(self.0.get_raw(at), SqlRef::Null)
    }

    fn value(&self, at: usize) -> ValueRef<'_> {
        value_ref(self.0.get_raw(at))
    }

    /// As text, however it is stored.
    fn text(&self, at: usize) -> String {
        text_of(self.value(at))
    }

    /// As a whole number; what is none counts as SQLite counts it.
    fn integer(&self, at: usize) -> i64 {
        match self.0.get_raw(at) {
            SqlRef::Integer(value) => value,
            SqlRef::Real(value) => value as i64,
            SqlRef::Null => 0,
            SqlRef::Text(_) | SqlRef::Blob(_) => self.text(at).trim().parse().unwrap_or(0),
        }
    }

    fn real(&self, at: usize) -> f64 {
        match self.0.get_raw(at) {
            SqlRef::Integer(value) => value as f64,
            SqlRef::Real(value) => value,
            SqlRef::Null => 0.0,
            SqlRef::Text(_) | SqlRef::Blob(_) => self.text(at).trim().parse().unwrap_or(0.0),
        }
    }
}

fn value_ref(value: SqlRef<'_>) -> ValueRef<'_> {
    match value {
        SqlRef::Null => ValueRef::Null,
        SqlRef::Integer(value) => ValueRef::Integer(value),
        SqlRef::Real(value) => ValueRef::Real(value),
        SqlRef::Text(value) => ValueRef::Text(value),
        SqlRef::Blob(value) => ValueRef::Blob(value),
    }
}

fn text_of(value: ValueRef<'_>) -> String {
    let mut out = bytes::BytesMut::new();
    match value {
        ValueRef::Blob(bytes) => return String::from_utf8_lossy(bytes).into_owned(),
        other => text_format::write(Type::TEXT, other, &mut out),
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn text(value: impl Into<String>) -> Returned {
    Ok(Sql::Text(value.into()))
}

fn boolean(value: bool) -> Returned {
    Ok(Sql::Integer(value.into()))
}

fn number(value: f64) -> Returned {
    Ok(if value.is_nan() { Sql::Null } else { Sql::Real(value) })
}

fn owned(value: SqlRef<'_>) -> Sql {
    match value {
        SqlRef::Null => Sql::Null,
        SqlRef::Integer(value) => Sql::Integer(value),
        SqlRef::Real(value) => Sql::Real(value),
        SqlRef::Text(value) => Sql::Text(String::from_utf8_lossy(value).into_owned()),
        SqlRef::Blob(value) => Sql::Blob(value.to_vec()),
    }
}
