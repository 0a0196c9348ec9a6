//! Messages as a client writes them.
//!
//! # Errors
//! Each fails with [`Error::Nul`], [`Error::TooLong`] or [`Error::TooMany`] and then leaves `out` as it was.

use bytes::{BufMut, BytesMut};

use super::{Target, tag};
use crate::limits::PARAMETERS_MAX;
use crate::write::{frame, long_frame, put_count, put_str, put_value};
use crate::{Error, Format, Oid};

/// Writes Query.
pub fn query(out: &mut BytesMut, sql: &str) -> Result<(), Error> {
    long_frame(out, tag::QUERY, "query", |out| put_str(out, "query", sql))
}

/// Writes Parse.
pub fn parse(out: &mut BytesMut, name: &str, sql: &str, parameter_types: &[Oid]) -> Result<(), Error> {
    long_frame(out, tag::PARSE, "query", |out| {
        put_str(out, "statement name", name)?;
        put_str(out, "query", sql)?;
        put_count(out, "parameter types", parameter_types.len(), PARAMETERS_MAX)?;
        parameter_types.iter().for_each(|oid| out.put_u32(oid.0));
        Ok(())
    })
}

/// Writes Bind.
pub fn bind(
    out: &mut BytesMut,
    portal: &str,
    statement: &str,
    parameters: (&[Format], &[Option<&[u8]>]),
    result_formats: &[Format],
) -> Result<(), Error> {
    long_frame(out, tag::BIND, "parameters", |out| {
        put_str(out, "portal name", portal)?;
        put_str(out, "statement name", statement)?;
        put_values(out, parameters)?;
        put_formats(out, result_formats)
    })
}

/// Writes FunctionCall.
pub fn function_call(
    out: &mut BytesMut,
    function: Oid,
    arguments: (&[Format], &[Option<&[u8]>]),
    result_format: Format,
) -> Result<(), Error> {
    long_frame(out, tag::FUNCTION_CALL, "arguments", |out| {
        out.put_u32(function.0);
        put_values(out, arguments)?;
        out.put_i16(result_format.code());
        Ok(())
    })
}

fn put_values(out: &mut BytesMut, (formats, values): (&[Format], &[Option<&[u8]>])) -> Result<(), Error> {
    put_formats(out, formats)?;
    put_count(out, "parameters", values.len(), PARAMETERS_MAX)?;
    values.iter().try_for_each(|value| put_value(out, "parameter", *value))
}

fn put_formats(out: &mut BytesMut, formats: &[Format]) -> Result<(), Error> {
    put_count(out, "formats", formats.len(), PARAMETERS_MAX)?;
    formats.iter().for_each(|format| out.put_i16(format.code()));
    Ok(())
}

/// Writes Describe.
pub fn describe(out: &mut BytesMut, target: Target<'_>) -> Result<(), Error> {
    long_frame(out, tag::DESCRIBE, "name", |out| put_target(out, target))
}

/// Writes Close.
pub fn close(out: &mut BytesMut, target: Target<'_>) -> Result<(), Error> {
    long_frame(out, tag::CLOSE, "name", |out| put_target(out, target))
}

fn put_target(out: &mut BytesMut, target: Target<'_>) -> Result<(), Error> {
    let (kind, name) = match target {
        Target::Statement(name) => (b'S', name),
        Target::Portal(name) => (b'P', name),
    };
    out.put_u8(kind);
    put_str(out, "name", name)
}

/// Writes Execute; `rows_max` of zero is no limit.
pub fn execute(out: &mut BytesMut, portal: &str, rows_max: u32) -> Result<(), Error> {
    long_frame(out, tag::EXECUTE, "portal name", |out| {
        put_str(out, "portal name", portal)?;
        out.put_i32(i32::try_from(rows_max).unwrap_or(i32::MAX));
        Ok(())
    })
}

/// Writes CopyData, from either side.
pub fn copy_data(out: &mut BytesMut, data: &[u8]) -> Result<(), Error> {
    long_frame(out, tag::COPY_DATA, "copy data", |out| {
        out.put_slice(data);
        Ok(())
    })
}

/// Writes CopyFail.
pub fn copy_fail(out: &mut BytesMut, reason: &str) -> Result<(), Error> {
    long_frame(out, tag::COPY_FAIL, "reason", |out| put_str(out, "reason", reason))
}

/// Writes CopyDone, from either side. Cannot fail.
pub fn copy_done(out: &mut BytesMut) {
    frame(out, tag::COPY_DONE, |_| {});
}

/// Writes Flush. Cannot fail.
pub fn flush(out: &mut BytesMut) {
    frame(out, tag::FLUSH, |_| {});
}

/// Writes Sync. Cannot fail.
pub fn sync(out: &mut BytesMut) {
    frame(out, tag::SYNC, |_| {});
}

/// Writes Terminate. Cannot fail.
pub fn terminate(out: &mut BytesMut) {
    frame(out, tag::TERMINATE, |_| {});
}
