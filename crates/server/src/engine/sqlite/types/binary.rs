//! Writes a stored value in the binary format of a column's type.
//!
//! Here the type is a promise: a value that cannot be written as it fails the query with the SQLSTATE that PostgreSQL
//! gives for the same text.

use bytes::{BufMut, BytesMut};
use wire::{Format, oid};

use super::super::ffi::ValueRef;
use super::super::sql_error::SqlError;
use super::interval::Interval;
use super::text::{self, unix_seconds};
use super::{Type, Value, array, datetime, input, numeric};

/// Appends the binary form of `value`, which is not NULL.
pub(in super::super) fn write(ty: Type, value: ValueRef<'_>, out: &mut BytesMut) -> Result<(), SqlError> {
    if let Some(element) = ty.oid.element() {
        return array::write_binary(&array::literal_of(value), element, out);
    }
    match ty.oid {
        oid::INT2VECTOR => return array::write_binary(&lossy(value), oid::INT2, out),
        oid::OIDVECTOR => return array::write_binary(&lossy(value), oid::OID, out),
        oid::BOOL => out.put_u8(u8::from(integer(ty, value)? != 0)),
        oid::INT2 => out.put_i16(narrow(ty, integer(ty, value)?)?),
        oid::INT4 => out.put_i32(narrow(ty, integer(ty, value)?)?),
        oid::INT8 => out.put_i64(integer(ty, value)?),
        oid::OID | oid::XID | oid::CID | oid::REGPROC | oid::REGCLASS | oid::REGTYPE => {
            out.put_u32(narrow(ty, integer(ty, value)?)?);
        }
        oid::FLOAT4 => out.put_f32(real(ty, value)? as f32),
        oid::FLOAT8 => out.put_f64(real(ty, value)?),
        oid::NUMERIC => write_numeric(ty, value, out)?,
        oid::DATE => out.put_i32(narrow(ty, moment(ty, value)?)?),
        oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ => out.put_i64(moment(ty, value)?),
        oid::INTERVAL => write_interval(value, out)?,
        oid::UUID => write_uuid(value, out)?,
        oid::BYTEA => write_bytes(value, out)?,
        oid::JSONB => {
            out.put_u8(1);
            text::write(ty, value, out);
        }
        oid::CHAR => out.put_u8(lossy(value).bytes().next().unwrap_or(0)),
        _text => text::write(ty, value, out),
    }
    Ok(())
}

fn integer(ty: Type, value: ValueRef<'_>) -> Result<i64, SqlError> {
    match value {
        ValueRef::Integer(value) => Ok(value),
        ValueRef::Real(value) if value.fract() == 0.0 && value.abs() < 9.2e18 => Ok(value as i64),
        other => match input::decode(ty, Format::Text, lossy(other).as_bytes())? {
            Value::Integer(value) => Ok(value),
            Value::Null | Value::Real(_) | Value::Text(_) | Value::Blob(_) => Err(mismatch(ty, other)),
        },
    }
}

fn narrow<T: TryFrom<i64>>(ty: Type, value: i64) -> Result<T, SqlError> {
    T::try_from(value).map_err(|_| input::out_of_range(ty, &value.to_string()))
}

fn real(ty: Type, value: ValueRef<'_>) -> Result<f64, SqlError> {
    match value {
        ValueRef::Integer(value) => Ok(value as f64),
        ValueRef::Real(value) => Ok(value),
        other => lossy(other).trim().parse().map_err(|_| mismatch(ty, other)),
    }
}

fn write_numeric(ty: Type, value: ValueRef<'_>, out: &mut BytesMut) -> Result<(), SqlError> {
    let mut decimal = BytesMut::new();
    text::write(ty, value, &mut decimal);
    let decimal = String::from_utf8_lossy(&decimal);
    if numeric::write_binary(&decimal, out) { Ok(()) } else { Err(mismatch(ty, value)) }
}

/// Microseconds or days, as the type counts.
fn moment(ty: Type, value: ValueRef<'_>) -> Result<i64, SqlError> {
    if let ValueRef::Integer(value) = value {
        let moment = unix_seconds(value);
        return Ok(if ty.oid == oid::DATE { moment.div_euclid(datetime::DAY) } else { moment });
    }
    let text = lossy(value);
    let parsed = match ty.oid {
        oid::DATE => datetime::parse_date(&text),
        oid::TIME => datetime::parse_time(&text),
        oid::TIMESTAMP => datetime::parse_timestamp(&text, false),
        _timestamptz => datetime::parse_timestamp(&text, true),
    };
    parsed.ok_or_else(|| mismatch(ty, value))
}

fn write_interval(value: ValueRef<'_>, out: &mut BytesMut) -> Result<(), SqlError> {
    let interval = Interval::parse(&lossy(value)).ok_or_else(|| mismatch(Type::new(oid::INTERVAL), value))?;
    out.put_i64(interval.micros);
    out.put_i32(interval.days as i32);
    out.put_i32(interval.months as i32);
    Ok(())
}

fn write_uuid(value: ValueRef<'_>, out: &mut BytesMut) -> Result<(), SqlError> {
    match value {
        ValueRef::Blob(bytes) if bytes.len() == 16 => out.put_slice(bytes),
        other => {
            let digits = input::uuid(&lossy(other)).ok_or_else(|| mismatch(Type::new(oid::UUID), other))?;
            out.put_slice(&digits);
        }
    }
    Ok(())
}

fn write_bytes(value: ValueRef<'_>, out: &mut BytesMut) -> Result<(), SqlError> {
    match value {
        ValueRef::Blob(bytes) => out.put_slice(bytes),
        ValueRef::Text(text) => match input::bytea(text) {
            Some(bytes) => out.put_slice(&bytes),
            None => out.put_slice(text),
        },
        number => text::write(Type::TEXT, number, out),
    }
    Ok(())
}

fn lossy(value: ValueRef<'_>) -> String {
    let mut out = BytesMut::new();
    text::write(Type::TEXT, value, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn mismatch(ty: Type, value: ValueRef<'_>) -> SqlError {
    input::invalid(&input::name(ty), &lossy(value))
}
