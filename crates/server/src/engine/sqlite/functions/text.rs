//! Functions of text.

use rusqlite::types::Value as Sql;
use wire::sqlstate;

use super::super::sql_error::SqlError;
use super::super::types::input;
use super::{Arguments, Registrar, Returned, boolean, md5, text};

/// Bytes that one of these functions makes at most; SQLite's own limit would come too late.
const BYTES_MAX: usize = 16 << 20;

pub(super) const NAMES: &[&str] = &[
    "left",
    "right",
    "lpad",
    "rpad",
    "repeat",
    "reverse",
    "initcap",
    "split_part",
    "translate",
    "md5",
    "encode",
    "decode",
    "to_hex",
    "starts_with",
    "bit_length",
    "quote_ident",
    "quote_literal",
    "quote_nullable",
    "greatest",
    "least",
];

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    registrar.strict("left", 2, |arguments| text(left(&arguments.text(0), arguments.integer(1))))?;
    registrar.strict("right", 2, |arguments| text(right(&arguments.text(0), arguments.integer(1))))?;
    for (name, front) in [("lpad", true), ("rpad", false)] {
        registrar
            .strict(name, 2, move |arguments| pad(&arguments.text(0), arguments.integer(1), " ", front))?;
        registrar.strict(name, 3, move |arguments| {
            pad(&arguments.text(0), arguments.integer(1), &arguments.text(2), front)
        })?;
    }
    registrar.strict("repeat", 2, |arguments| repeat(&arguments.text(0), arguments.integer(1)))?;
    registrar.strict("reverse", 1, |arguments| text(arguments.text(0).chars().rev().collect::<String>()))?;
    registrar.strict("initcap", 1, |arguments| text(initcap(&arguments.text(0))))?;
    registrar.strict("split_part", 3, |arguments| {
        split_part(&arguments.text(0), &arguments.text(1), arguments.integer(2))
    })?;
    registrar.strict("translate", 3, |arguments| {
        text(translate(&arguments.text(0), &arguments.text(1), &arguments.text(2)))
    })?;
    registrar.strict("md5", 1, |arguments| text(md5::hex(&bytes_of(arguments, 0))))?;
    registrar.strict("encode", 2, |arguments| encode(&bytes_of(arguments, 0), &arguments.text(1)))?;
    registrar.strict("decode", 2, |arguments| decode(&arguments.text(0), &arguments.text(1)))?;
    registrar.strict("to_hex", 1, |arguments| text(format!("{:x}", arguments.integer(0))))?;
    registrar
        .strict("starts_with", 2, |arguments| boolean(arguments.text(0).starts_with(&arguments.text(1))))?;
    registrar
        .strict("bit_length", 1, |arguments| Ok(Sql::Integer(bytes_of(arguments, 0).len() as i64 * 8)))?;
    registrar.strict("quote_ident", 1, |arguments| text(quote_ident(&arguments.text(0))))?;
    registrar.strict("quote_literal", 1, |arguments| text(quote_literal(&arguments.text(0))))?;
    registrar.pure("quote_nullable", 1, |arguments| {
        if arguments.is_null(0) { text("NULL") } else { text(quote_literal(&arguments.text(0))) }
    })?;
    registrar.strict("pg_overlay", 3, |arguments| {
        text(overlay(arguments, arguments.text(1).chars().count() as i64))
    })?;
    registrar.strict("pg_overlay", 4, |arguments| text(overlay(arguments, arguments.integer(3))))?;
    registrar.pure("greatest", -1, |arguments| Ok(extreme(arguments, std::cmp::Ordering::Greater)))?;
    registrar.pure("least", -1, |arguments| Ok(extreme(arguments, std::cmp::Ordering::Less)))
}

fn bytes_of(arguments: &Arguments<'_, '_>, at: usize) -> Vec<u8> {
    match arguments.value(at) {
        super::ValueRef::Blob(bytes) => bytes.to_vec(),
        other => super::text_of(other).into_bytes(),
    }
}

/// The first characters; a negative count leaves out the last.
fn left(text: &str, count: i64) -> String {
    let length = text.chars().count() as i64;
    let keep = if count < 0 { length.saturating_add(count) } else { count };
    text.chars().take(usize::try_from(keep).unwrap_or(0)).collect()
}

fn right(text: &str, count: i64) -> String {
    let length = text.chars().count() as i64;
    let skip = if count < 0 { count.saturating_neg() } else { (length - count).max(0) };
    text.chars().skip(usize::try_from(skip).unwrap_or(0)).collect()
}

fn too_long() -> SqlError {
    SqlError::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

fn pad(value: &str, length: i64, fill: &str, front: bool) -> Returned {
    let length = usize::try_from(length).unwrap_or(0);
    if length > BYTES_MAX {
        return Err(too_long());
    }
    let has = value.chars().count();
    if has >= length {
        return text(value.chars().take(length).collect::<String>());
    }
    let filling: String = fill.chars().cycle().take(if fill.is_empty() { 0 } else { length - has }).collect();
    text(if front { filling + value } else { value.to_owned() + &filling })
}

fn repeat(value: &str, count: i64) -> Returned {
    let count = usize::try_from(count).unwrap_or(0);
    if value.len().saturating_mul(count) > BYTES_MAX {
        return Err(too_long());
    }
    text(value.repeat(count))
}

fn initcap(value: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if inside {
            out.extend(c.to_lowercase())
        } else {
            out.extend(c.to_uppercase())
        }
        inside = c.is_alphanumeric();
    }
    out
}

fn split_part(value: &str, separator: &str, number: i64) -> Returned {
    if number == 0 {
        return Err(SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, "field position must not be zero"));
    }
    let parts: Vec<&str> = if separator.is_empty() { vec![value] } else { value.split(separator).collect() };
    let at = if number > 0 { number - 1 } else { parts.len() as i64 + number };
    text(usize::try_from(at).ok().and_then(|at| parts.get(at).copied()).unwrap_or_default())
}

fn translate(value: &str, from: &str, to: &str) -> String {
    let to: Vec<char> = to.chars().collect();
    let place = |c: char| from.chars().position(|known| known == c);
    value.chars().filter_map(|c| place(c).map_or(Some(c), |at| to.get(at).copied())).collect()
}

fn encode(bytes: &[u8], format: &str) -> Returned {
    match format {
        "hex" => text(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        "base64" => text(base64(bytes)),
        "escape" => text(String::from_utf8_lossy(bytes)),
        other => Err(unknown_encoding(other)),
    }
}

fn decode(value: &str, format: &str) -> Returned {
    let decoded = match format {
        "hex" => input::hex(value.as_bytes()),
        "base64" => unbase64(value),
        "escape" => input::bytea(value.as_bytes()),
        other => return Err(unknown_encoding(other)),
    };
    decoded
        .map(Sql::Blob)
        .ok_or_else(|| SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, format!("invalid {format} text")))
}

fn unknown_encoding(name: &str) -> SqlError {
    SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, format!("unrecognized encoding: \"{name}\""))
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = BASE64[(word >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

fn unbase64(value: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = value.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').collect();
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for chunk in digits.chunks(4) {
        let mut word = 0u32;
        for digit in chunk {
            word = word << 6 | BASE64.iter().position(|known| known == digit)? as u32;
        }
        word <<= 6 * (4 - chunk.len());
        out.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    Some(out)
}

pub(super) fn quote_ident(name: &str) -> String {
    let plain = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !name.as_bytes()[0].is_ascii_digit();
    if plain { name.to_owned() } else { super::super::lexer::quote_name(name) }
}

pub(super) fn quote_literal(value: &str) -> String {
    let quoted = super::super::lexer::quote_text(value);
    if quoted.contains('\\') { format!("E{}", quoted.replace('\\', "\\\\")) } else { quoted }
}

fn overlay(arguments: &Arguments<'_, '_>, length: i64) -> String {
    let value = arguments.text(0);
    let start = arguments.integer(2).max(1);
    let before: String = value.chars().take((start - 1) as usize).collect();
    let after: String = value.chars().skip(usize::try_from(start - 1 + length).unwrap_or(0)).collect();
    before + &arguments.text(1) + &after
}

/// NULLs do not count, as in PostgreSQL; otherwise SQLite's order of values.
fn extreme(arguments: &Arguments<'_, '_>, wanted: std::cmp::Ordering) -> Sql {
    let mut best: Option<usize> = None;
    for at in (0..arguments.len()).filter(|at| !arguments.is_null(*at)) {
        let better = best.is_none_or(|best| compare(arguments, at, best) == wanted);
        best = if better { Some(at) } else { best };
    }
    best.map_or(Sql::Null, |best| super::owned(arguments.0.get_raw(best)))
}

fn compare(arguments: &Arguments<'_, '_>, a: usize, b: usize) -> std::cmp::Ordering {
    use super::ValueRef::{Integer, Real};
    match (arguments.value(a), arguments.value(b)) {
        (Integer(a), Integer(b)) => a.cmp(&b),
        (Integer(_) | Real(_), Integer(_) | Real(_)) => arguments.real(a).total_cmp(&arguments.real(b)),
        (Integer(_) | Real(_), _) => std::cmp::Ordering::Less,
        (_, Integer(_) | Real(_)) => std::cmp::Ordering::Greater,
        _texts => bytes_of(arguments, a).cmp(&bytes_of(arguments, b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_its_own_inverse() {
        for bytes in [&b""[..], b"a", b"ab", b"abc", &[0, 255, 128, 7]] {
            assert_eq!(unbase64(&base64(bytes)).as_deref(), Some(bytes));
        }
        assert_eq!(base64(b"hello"), "aGVsbG8=");
        assert_eq!(unbase64("!"), None);
    }

    #[test]
    fn counts_may_be_negative() {
        assert_eq!((left("abcde", -2), right("abcde", -2)), ("abc".to_owned(), "cde".to_owned()));
        assert_eq!((left("abc", 9), right("abc", 9)), ("abc".to_owned(), "abc".to_owned()));
        assert_eq!(left("abc", i64::MIN), "");
    }
}
