//! `format()`: like printf, with `%s`, `%I` and `%L`.

use wire::sqlstate;

use super::super::sql_error::SqlError;
use super::text::{quote_ident, quote_literal};
use super::{Arguments, Registrar, Returned, text};

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    // SQLite's printf is called `format` as well; this one takes its place and leaves `printf`.
    registrar.pure("format", -1, format)
}

fn format(arguments: &Arguments<'_, '_>) -> Returned {
    if arguments.len() == 0 || arguments.is_null(0) {
        return Ok(rusqlite::types::Value::Null);
    }
    let template = arguments.text(0);
    let mut out = String::new();
    let mut next = 1;
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut digits = String::new();
        while let Some(digit) = chars.next_if(|c| c.is_ascii_digit() || *c == '-') {
            digits.push(digit);
        }
        if chars.next_if_eq(&'$').is_some() {
            next = digits.parse().unwrap_or(1);
            digits.clear();
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some(kind @ ('s' | 'I' | 'L')) => {
                let value = argument(arguments, next, kind)?;
                next += 1;
                out.push_str(&padded(&value, digits.parse().unwrap_or(0)));
            }
            Some(other) => {
                let message = format!("unrecognized format() type specifier \"{other}\"");
                return Err(SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, message));
            }
            None => {
                return Err(SqlError::new(
                    sqlstate::INVALID_PARAMETER_VALUE,
                    "unterminated format() type specifier",
                ));
            }
        }
    }
    text(out)
}

fn argument(arguments: &Arguments<'_, '_>, at: usize, kind: char) -> Result<String, SqlError> {
    if at == 0 || at >= arguments.len() {
        return Err(SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, "too few arguments for format()"));
    }
    match (kind, arguments.is_null(at)) {
        ('s', true) => Ok(String::new()),
        ('L', true) => Ok("NULL".to_owned()),
        ('I', true) => Err(SqlError::new(
            sqlstate::NULL_VALUE_NOT_ALLOWED,
            "null values cannot be formatted as an SQL identifier",
        )),
        ('I', false) => Ok(quote_ident(&arguments.text(at))),
        ('L', false) => Ok(quote_literal(&arguments.text(at))),
        (_string, _) => Ok(arguments.text(at)),
    }
}

/// A negative width fills behind.
fn padded(value: &str, width: i64) -> String {
    let size = usize::try_from(width.unsigned_abs()).unwrap_or(0).min(10_000);
    if width < 0 { format!("{value:<size$}") } else { format!("{value:>size$}") }
}
