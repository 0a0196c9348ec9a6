//! Reads a value that a client sent (a parameter, a COPY cell, a cast literal) into what is stored.

use wire::{Format, oid, sqlstate};

use super::super::sql_error::SqlError;
use super::datetime::{self, Date, Time, Timestamp};
use super::interval::Interval;
use super::{Type, Value, array, names, numeric};

/// The value of a parameter that is not NULL.
///
/// # Errors
/// What PostgreSQL answers: 22P02, 22003, 22007, 22021, 22P03.
pub(in super::super) fn decode(ty: Type, format: Format, bytes: &[u8]) -> Result<Value, SqlError> {
    match format {
        Format::Text => decode_text(ty, utf8(bytes)?),
        Format::Binary => decode_binary(ty, bytes),
    }
}

pub(in super::super) fn utf8(bytes: &[u8]) -> Result<&str, SqlError> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.contains(&0) => Ok(text),
        Ok(_) => Err(encoding(0)),
        Err(error) => Err(encoding(bytes.get(error.valid_up_to()).copied().unwrap_or(0))),
    }
}

fn encoding(byte: u8) -> SqlError {
    let message = format!("invalid byte sequence for encoding \"UTF8\": 0x{byte:02x}");
    SqlError::new(sqlstate::CHARACTER_NOT_IN_REPERTOIRE, message)
}

fn decode_text(ty: Type, text: &str) -> Result<Value, SqlError> {
    let fail = || invalid(&name(ty), text);
    let trimmed = text.trim();
    if ty.oid.element().is_some() {
        let valid = array::parse(text).is_some() || trimmed.starts_with("{{");
        return if valid { Ok(Value::Text(text.to_owned())) } else { Err(malformed_array(text)) };
    }
    Ok(match ty.oid {
        oid::BOOL => Value::Integer(boolean(text.as_bytes()).ok_or_else(fail)?.into()),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID | oid::XID | oid::CID => integer(ty, trimmed)?,
        oid::FLOAT4 | oid::FLOAT8 => Value::Real(float(trimmed).ok_or_else(fail)?),
        oid::NUMERIC => decimal(ty, trimmed).ok_or_else(fail)?,
        oid::BYTEA => Value::Blob(bytea(text.as_bytes()).ok_or_else(fail)?),
        oid::DATE => {
            Value::Text(Date(datetime::parse_date(trimmed).ok_or_else(|| moment(ty, text))?).to_string())
        }
        oid::TIME => {
            Value::Text(Time(datetime::parse_time(trimmed).ok_or_else(|| moment(ty, text))?).to_string())
        }
        oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            let parsed = datetime::parse_timestamp(trimmed, ty.oid == oid::TIMESTAMPTZ);
            Value::Text(Timestamp(parsed.ok_or_else(|| moment(ty, text))?).to_string())
        }
        oid::INTERVAL => Value::Text(Interval::parse(trimmed).ok_or_else(|| moment(ty, text))?.to_string()),
        oid::UUID => Value::Text(uuid_text(&uuid(trimmed).ok_or_else(fail)?)),
        _text => Value::Text(text.to_owned()),
    })
}

fn decode_binary(ty: Type, bytes: &[u8]) -> Result<Value, SqlError> {
    let fail = || {
        let message = format!("incorrect binary data format for type {}", name(ty));
        SqlError::new(sqlstate::INVALID_BINARY_REPRESENTATION, message)
    };
    if ty.oid.element().is_some() {
        return array::read_binary(bytes).map(Value::Text).ok_or_else(fail);
    }
    Ok(match ty.oid {
        oid::BOOL => Value::Integer(i64::from(fixed::<1>(bytes).ok_or_else(fail)?[0] != 0)),
        oid::INT2 => Value::Integer(i16::from_be_bytes(fixed(bytes).ok_or_else(fail)?).into()),
        oid::INT4 => Value::Integer(i32::from_be_bytes(fixed(bytes).ok_or_else(fail)?).into()),
        oid::INT8 => Value::Integer(i64::from_be_bytes(fixed(bytes).ok_or_else(fail)?)),
        oid::OID | oid::XID | oid::CID | oid::REGCLASS | oid::REGTYPE | oid::REGPROC => {
            Value::Integer(u32::from_be_bytes(fixed(bytes).ok_or_else(fail)?).into())
        }
        oid::FLOAT4 => Value::Real(f32::from_be_bytes(fixed(bytes).ok_or_else(fail)?).into()),
        oid::FLOAT8 => Value::Real(f64::from_be_bytes(fixed(bytes).ok_or_else(fail)?)),
        oid::NUMERIC => {
            let text = numeric::read_binary(bytes).ok_or_else(fail)?;
            decimal(ty, &text).ok_or_else(fail)?
        }
        oid::BYTEA => Value::Blob(bytes.to_vec()),
        oid::DATE => Value::Text(
            date(i32::from_be_bytes(fixed(bytes).ok_or_else(fail)?).into())
                .ok_or_else(|| out_of_range(ty, "date"))?,
        ),
        oid::TIME => Value::Text(
            Time(i64::from_be_bytes(fixed(bytes).ok_or_else(fail)?).clamp(0, datetime::DAY)).to_string(),
        ),
        oid::TIMESTAMP | oid::TIMESTAMPTZ => {
            let micros = i64::from_be_bytes(fixed(bytes).ok_or_else(fail)?);
            Value::Text(timestamp(micros).ok_or_else(|| out_of_range(ty, "timestamp"))?)
        }
        oid::INTERVAL => {
            let bytes = fixed::<16>(bytes).ok_or_else(fail)?;
            let (micros, rest) = bytes.split_first_chunk::<8>().ok_or_else(fail)?;
            let (days, months) = rest.split_first_chunk::<4>().ok_or_else(fail)?;
            let interval = Interval {
                micros: i64::from_be_bytes(*micros),
                days: i32::from_be_bytes(*days).into(),
                months: i32::from_be_bytes(fixed(months).ok_or_else(fail)?).into(),
            };
            Value::Text(interval.to_string())
        }
        oid::UUID => Value::Text(uuid_text(&fixed(bytes).ok_or_else(fail)?)),
        oid::JSONB => match bytes.split_first() {
            Some((1, rest)) => Value::Text(utf8(rest)?.to_owned()),
            _other_version => return Err(fail()),
        },
        _text => Value::Text(utf8(bytes)?.to_owned()),
    })
}

fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

/// Only years of four digits, which SQLite's functions and our parser know.
fn date(days: i64) -> Option<String> {
    let range = datetime::days_from_civil(1, 1, 1)..=datetime::days_from_civil(9999, 12, 31);
    range.contains(&days).then(|| Date(days).to_string())
}

fn timestamp(micros: i64) -> Option<String> {
    let infinite = micros == i64::MAX || micros == i64::MIN;
    (infinite || date(micros.div_euclid(datetime::DAY)).is_some()).then(|| Timestamp(micros).to_string())
}

fn integer(ty: Type, text: &str) -> Result<Value, SqlError> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let number = digits.strip_prefix('-').unwrap_or(digits);
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid(&name(ty), text));
    }
    let value: i64 = digits.parse().map_err(|_| out_of_range(ty, text))?;
    let fits = match ty.oid {
        oid::INT2 => i16::try_from(value).is_ok(),
        oid::INT4 => i32::try_from(value).is_ok(),
        oid::OID | oid::XID | oid::CID => u32::try_from(value).is_ok(),
        _int8 => true,
    };
    if fits { Ok(Value::Integer(value)) } else { Err(out_of_range(ty, text)) }
}

fn float(text: &str) -> Option<f64> {
    let word = text.to_ascii_lowercase();
    match word.as_str() {
        "infinity" | "+infinity" | "inf" => Some(f64::INFINITY),
        "-infinity" | "-inf" => Some(f64::NEG_INFINITY),
        "nan" => Some(f64::NAN),
        digits if digits.ends_with(|c: char| c.is_ascii_digit() || c == '.') => digits.parse().ok(),
        _other => None,
    }
}

/// An integer where it is one, a double where it holds all digits, else the text itself.
fn decimal(ty: Type, text: &str) -> Option<Value> {
    let number = float(text)?;
    if let (Some(scale), true) = (ty.scale(), number.is_finite()) {
        let rounded = format!("{number:.scale$}");
        return Some(rounded.parse().map_or(Value::Text(rounded), Value::Real));
    }
    if let Ok(value) = text.parse::<i64>() {
        return Some(Value::Integer(value));
    }
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let exact = number.is_finite() && digits <= 15;
    Some(if exact { Value::Real(number) } else { Value::Text(text.to_owned()) })
}

/// `t`, `true`, `yes`, `on`, `1` and their opposites, and unique prefixes of them.
pub(in super::super) fn boolean(text: &[u8]) -> Option<bool> {
    let word = text.trim_ascii().to_ascii_lowercase();
    let word = std::str::from_utf8(&word).ok().filter(|word| !word.is_empty())?;
    if "true".starts_with(word) || "yes".starts_with(word) || word == "on" || word == "1" {
        return Some(true);
    }
    let no = "false".starts_with(word)
        || "no".starts_with(word)
        || (word.len() > 1 && "off".starts_with(word))
        || word == "0";
    no.then_some(false)
}

/// `\x` and hexadecimal digits, or the older escapes.
pub(in super::super) fn bytea(text: &[u8]) -> Option<Vec<u8>> {
    if let Some(digits) = text.strip_prefix(b"\\x") {
        let digits: Vec<u8> = digits.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        return hex(&digits);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
                after
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                bytes.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                after
            }
            (b'\\', _) => return None,
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    Some(bytes)
}

/// Bytes of an even number of hexadecimal digits.
pub(in super::super) fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).map(|digit| digit as u8);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
}

pub(in super::super) fn uuid(text: &str) -> Option<[u8; 16]> {
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let digits: Vec<u8> = inside.bytes().filter(|byte| *byte != b'-').collect();
    hex(&digits)?.try_into().ok()
}

fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut out = bytes::BytesMut::new();
    super::text::write(Type::new(oid::UUID), super::super::ffi::ValueRef::Blob(bytes), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The type's SQL name for messages.
pub(in super::super) fn name(ty: Type) -> String {
    names::sql_name(ty.oid, -1).unwrap_or_else(|| "unknown".to_owned())
}

/// 22P02.
pub(in super::super) fn invalid(type_name: &str, text: &str) -> SqlError {
    let message = format!("invalid input syntax for type {type_name}: \"{text}\"");
    SqlError::new(sqlstate::INVALID_TEXT_REPRESENTATION, message)
}

fn malformed_array(text: &str) -> SqlError {
    SqlError::new(sqlstate::INVALID_TEXT_REPRESENTATION, format!("malformed array literal: \"{text}\""))
}

fn moment(ty: Type, text: &str) -> SqlError {
    let message = format!("invalid input syntax for type {}: \"{text}\"", name(ty));
    SqlError::new(sqlstate::INVALID_DATETIME_FORMAT, message)
}

/// 22003.
pub(in super::super) fn out_of_range(ty: Type, text: &str) -> SqlError {
    let message = format!("value \"{text}\" is out of range for type {}", name(ty));
    SqlError::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, message)
}

#[cfg(test)]
mod tests;
