//! Casts, and names of things in the catalogs.

use rusqlite::types::Value as Sql;
use wire::{Format, Oid, oid};

use super::super::sql_error::SqlError;
use super::super::types::{Type, Value, input, text as text_format};
use super::{Arguments, Registrar, Returned, ValueRef, text};

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    registrar.pure("pg_cast", 3, |arguments| {
        let ty = Type { oid: Oid(arguments.integer(0) as u32), modifier: arguments.integer(1) as i32 };
        cast(ty, arguments)
    })?;
    registrar.pure("pg_typeof", 1, |arguments| {
        text(match arguments.value(0) {
            ValueRef::Null => "unknown",
            ValueRef::Integer(_) => "bigint",
            ValueRef::Real(_) => "double precision",
            ValueRef::Text(_) => "text",
            ValueRef::Blob(_) => "bytea",
        })
    })
}

fn cast(ty: Type, arguments: &Arguments<'_, '_>) -> Returned {
    let value = match (ty.oid, arguments.value(2)) {
        (_, ValueRef::Null) => Value::Null,
        (oid::INT2 | oid::INT4 | oid::INT8 | oid::OID, ValueRef::Real(value)) => integer(ty, value)?,
        (oid::INT2 | oid::INT4 | oid::INT8 | oid::OID, ValueRef::Integer(value)) => {
            input::decode(ty, Format::Text, value.to_string().as_bytes())?
        }
        (oid::BOOL, ValueRef::Integer(value)) => Value::Integer((value != 0).into()),
        (oid::FLOAT4, ValueRef::Real(value)) => Value::Real(f64::from(value as f32)),
        (oid::FLOAT4 | oid::FLOAT8, ValueRef::Integer(value)) => Value::Real(value as f64),
        (oid::FLOAT8, ValueRef::Real(value)) => Value::Real(value),
        (oid::NUMERIC, ValueRef::Integer(value)) if ty.modifier < 0 => Value::Integer(value),
        (oid::NUMERIC, ValueRef::Real(value)) if ty.modifier < 0 => Value::Real(value),
        (oid::BYTEA, ValueRef::Blob(bytes)) => Value::Blob(bytes.to_vec()),
        (oid::BYTEA, ValueRef::Text(bytes)) => input::decode(ty, Format::Text, bytes)?,
        (oid::JSON | oid::JSONB, other) => json(ty, other)?,
        (_, other) => input::decode(ty, Format::Text, plain(ty, other).as_bytes())?,
    };
    Ok(sql(value))
}

/// Halves go to the even neighbour, as in PostgreSQL.
fn integer(ty: Type, value: f64) -> Result<Value, SqlError> {
    let rounded = value.round_ties_even();
    if rounded.abs() < 9.2e18 {
        return input::decode(ty, Format::Text, format!("{rounded:.0}").as_bytes());
    }
    Err(input::out_of_range(ty, &value.to_string()))
}

fn json(ty: Type, value: ValueRef<'_>) -> Result<Value, SqlError> {
    let text = super::text_of(value);
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(Value::Text(text)),
        Err(_) => Err(input::invalid(&input::name(ty), &text)),
    }
}

/// Moments stored as numbers are read as such; everything else by its text.
fn plain(ty: Type, value: ValueRef<'_>) -> String {
    let moment = matches!(ty.oid, oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ);
    let mut out = bytes::BytesMut::new();
    text_format::write(if moment { ty } else { Type::TEXT }, value, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn sql(value: Value) -> Sql {
    match value {
        Value::Null => Sql::Null,
        Value::Integer(value) => Sql::Integer(value),
        Value::Real(value) => Sql::Real(value),
        Value::Text(value) => Sql::Text(value),
        Value::Blob(value) => Sql::Blob(value),
    }
}
