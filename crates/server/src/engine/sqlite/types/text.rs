//! Writes a stored value in the text format of a column's type.
//!
//! A value whose storage class does not fit the type is written as it is: text columns of foreign values stay readable.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use wire::oid;

use super::super::ffi::ValueRef;
use super::Type;
use super::datetime::{DAY, Date, EPOCH_DAYS, Time, Timestamp, parse_date, parse_time, parse_timestamp};

/// Appends the text of `value`; nothing for NULL.
pub(in super::super) fn write(ty: Type, value: ValueRef<'_>, out: &mut BytesMut) {
    match value {
        ValueRef::Null => {}
        ValueRef::Integer(value) => integer(ty, value, out),
        ValueRef::Real(value) => real(ty, value, out),
        ValueRef::Text(value) => text(ty, value, out),
        ValueRef::Blob(value) => blob(ty, value, out),
    }
}

fn integer(ty: Type, value: i64, out: &mut BytesMut) {
    match ty.oid {
        oid::BOOL => out.put_u8(if value == 0 { b'f' } else { b't' }),
        oid::DATE => put(out, format_args!("{}", Date(unix_seconds(value).div_euclid(DAY)))),
        oid::TIMESTAMP => put(out, format_args!("{}", Timestamp(unix_seconds(value)))),
        oid::TIMESTAMPTZ => put(out, format_args!("{}+00", Timestamp(unix_seconds(value)))),
        oid::NUMERIC => {
            put_integer(out, value);
            if let Some(scale @ 1..) = ty.scale() {
                put(out, format_args!(".{:0scale$}", 0));
            }
        }
        oid::BYTEA => put(out, format_args!("{value}")),
        _number => put_integer(out, value),
    }
}

/// SQLite's own convention for integers in date columns; cut to years that have four digits.
pub(super) fn unix_seconds(value: i64) -> i64 {
    value.clamp(-62_135_596_800, 253_402_300_799) * 1_000_000 - EPOCH_DAYS * DAY
}

/// Decimal digits without going through the formatter: the hottest cell there is.
pub(in super::super) fn put_integer(out: &mut BytesMut, value: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.put_u8(b'-');
    }
    out.put_slice(&digits[at..]);
}

fn real(ty: Type, value: f64, out: &mut BytesMut) {
    match ty.oid {
        oid::BOOL => out.put_u8(if value == 0.0 { b'f' } else { b't' }),
        oid::FLOAT4 => put_float(out, f64::from(value as f32), format!("{:e}", value as f32)),
        oid::NUMERIC => put(out, format_args!("{}", numeric(ty, value))),
        oid::INT2 | oid::INT4 | oid::INT8 if value.fract() == 0.0 && value.abs() < 9e15 => {
            put_integer(out, value as i64)
        }
        _other => float(value, out),
    }
}

/// The decimal text of a double in a numeric column.
pub(super) fn numeric(ty: Type, value: f64) -> String {
    match ty.scale() {
        Some(scale) => format!("{value:.scale$}"),
        None if value.is_infinite() => if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        None => format!("{value}"),
    }
}

/// The shortest text that reads back as the same double, with PostgreSQL's spelling of exponents.
pub(in super::super) fn float(value: f64, out: &mut BytesMut) {
    put_float(out, value, format!("{value:e}"));
}

fn put_float(out: &mut BytesMut, value: f64, scientific: String) {
    if value.is_nan() {
        return out.put_slice(b"NaN");
    }
    if value.is_infinite() {
        return out.put_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&exponent) {
        return put_plain(out, mantissa, exponent);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    put(out, format_args!("{mantissa}e{sign}{:02}", exponent.abs()));
}

/// `-1.25e1` as `-12.5`.
fn put_plain(out: &mut BytesMut, mantissa: &str, exponent: i32) {
    let unsigned = mantissa.trim_start_matches('-');
    if unsigned.len() < mantissa.len() {
        out.put_u8(b'-');
    }
    let digits: String = unsigned.chars().filter(|c| *c != '.').collect();
    if exponent < 0 {
        out.put_slice(b"0.");
        (1..-exponent).for_each(|_| out.put_u8(b'0'));
        return out.put_slice(digits.as_bytes());
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        out.put_slice(digits.as_bytes());
        return (digits.len()..whole).for_each(|_| out.put_u8(b'0'));
    }
    out.put_slice(&digits.as_bytes()[..whole]);
    out.put_u8(b'.');
    out.put_slice(&digits.as_bytes()[whole..]);
}

fn text(ty: Type, value: &[u8], out: &mut BytesMut) {
    match ty.oid {
        oid::BOOL => out.put_slice(if super::input::boolean(value) == Some(false) { b"f" } else { b"t" }),
        oid::DATE | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ => moment(ty, value, out),
        oid::NUMERIC => decimal(ty, value, out),
        oid::BOOL_ARRAY | oid::TIMESTAMPTZ_ARRAY => elements(ty, value, out),
        _text => out.put_slice(value),
    }
}

/// Arrays whose elements are stored in another form than they are written in.
fn elements(ty: Type, value: &[u8], out: &mut BytesMut) {
    let parsed = std::str::from_utf8(value).ok().and_then(super::array::parse);
    let (Some(parsed), Some(element)) = (parsed, ty.oid.element()) else { return out.put_slice(value) };
    let written = parsed.into_iter().map(|item| {
        item.map(|item| {
            let mut written = BytesMut::new();
            write(Type::new(element), ValueRef::Text(item.as_bytes()), &mut written);
            String::from_utf8_lossy(&written).into_owned()
        })
    });
    let written: Vec<Option<String>> = written.collect();
    out.put_slice(super::array::format(written.iter().map(Option::as_deref)).as_bytes());
}

/// A numeric stored as text because a double would not hold it.
fn decimal(ty: Type, value: &[u8], out: &mut BytesMut) {
    match (ty.scale(), std::str::from_utf8(value).ok().and_then(|text| text.parse::<f64>().ok())) {
        (Some(_), Some(number)) if value.len() <= 15 => out.put_slice(numeric(ty, number).as_bytes()),
        _as_is => out.put_slice(value),
    }
}

fn moment(ty: Type, value: &[u8], out: &mut BytesMut) {
    let Ok(text) = std::str::from_utf8(value) else { return out.put_slice(value) };
    let written = match ty.oid {
        oid::DATE => parse_date(text).map(|days| Date(days).to_string()),
        oid::TIME => parse_time(text).map(|time| Time(time).to_string()),
        oid::TIMESTAMP => parse_timestamp(text, false).map(|moment| Timestamp(moment).to_string()),
        _timestamptz => {
            parse_timestamp(text, true).map(|moment| format!("{}{}", Timestamp(moment), zone(moment)))
        }
    };
    out.put_slice(written.as_deref().unwrap_or(text).as_bytes());
}

fn zone(moment: i64) -> &'static str {
    if moment == i64::MAX || moment == i64::MIN { "" } else { "+00" }
}

fn blob(ty: Type, value: &[u8], out: &mut BytesMut) {
    if ty.oid == oid::UUID && value.len() == 16 {
        return put_uuid(out, value);
    }
    out.reserve(2 + value.len() * 2);
    out.put_slice(b"\\x");
    value.iter().for_each(|byte| put_hex(out, *byte));
}

fn put_uuid(out: &mut BytesMut, value: &[u8]) {
    for (at, byte) in value.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.put_u8(b'-');
        }
        put_hex(out, *byte);
    }
}

fn put_hex(out: &mut BytesMut, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.put_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

/// `BytesMut` grows as it must, so that formatting into it cannot fail.
fn put(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("BUG: a buffer in memory takes all text");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ty: Type, value: ValueRef<'_>) -> String {
        let mut out = BytesMut::new();
        write(ty, value, &mut out);
        String::from_utf8(out.to_vec()).expect("text")
    }

    #[test]
    fn doubles_are_printed_like_postgresql() {
        let table = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (-12.5, "-12.5"),
            (1e15, "1e+15"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "Infinity"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in table {
            assert_eq!(shown(Type::FLOAT8, ValueRef::Real(value)), expected);
        }
        assert_eq!(shown(Type::new(oid::FLOAT4), ValueRef::Real(f64::from(0.1f32))), "0.1");
    }

    #[test]
    fn each_type_has_its_text() {
        let numeric = Type { oid: oid::NUMERIC, modifier: ((10 << 16) | 2) + 4 };
        let table: &[(Type, ValueRef<'_>, &str)] = &[
            (Type::BOOL, ValueRef::Integer(1), "t"),
            (Type::BOOL, ValueRef::Text(b"false"), "f"),
            (Type::INT8, ValueRef::Integer(i64::MIN), "-9223372036854775808"),
            (numeric, ValueRef::Real(1.5), "1.50"),
            (numeric, ValueRef::Integer(2), "2.00"),
            (Type::BYTEA, ValueRef::Blob(&[0, 255]), "\\x00ff"),
            (
                Type::new(oid::TIMESTAMPTZ),
                ValueRef::Text(b"2024-01-01T10:00:00+02:00"),
                "2024-01-01 08:00:00+00",
            ),
            (Type::new(oid::TIMESTAMP), ValueRef::Text(b"2024-01-01"), "2024-01-01 00:00:00"),
            (Type::new(oid::TIMESTAMP), ValueRef::Integer(0), "1970-01-01 00:00:00"),
            (Type::new(oid::DATE), ValueRef::Text(b"2024-01-01 10:00:00"), "2024-01-01"),
            (Type::new(oid::DATE), ValueRef::Text(b"someday"), "someday"),
            (Type::new(oid::UUID), ValueRef::Blob(&[0x11; 16]), "11111111-1111-1111-1111-111111111111"),
            (Type::TEXT, ValueRef::Integer(7), "7"),
            (Type::new(oid::BOOL_ARRAY), ValueRef::Text(b"{0,1,NULL}"), "{f,t,NULL}"),
        ];
        for (ty, value, expected) in table {
            assert_eq!(shown(*ty, *value), *expected, "{value:?} as {ty:?}");
        }
    }
}
