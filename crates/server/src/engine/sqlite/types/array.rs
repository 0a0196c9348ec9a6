//! Arrays: stored as PostgreSQL's array literals (`{1,2,NULL,"a b"}`), one dimension.

use bytes::{Buf, BufMut, BytesMut};
use wire::{Format, Oid};

use super::super::ffi::ValueRef;
use super::super::sql_error::SqlError;
use super::{Type, Value, binary, input};

/// Elements of an array literal, `None` for NULL; `None` altogether when it is not one or has more dimensions.
pub(in super::super) fn parse(text: &str) -> Option<Vec<Option<String>>> {
    let inside = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    let mut rest = inside.trim_start();
    if rest.is_empty() {
        return Some(elements);
    }
    loop {
        let (element, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted_element(quoted)?
        } else {
            bare_element(rest)?
        };
        elements.push(element);
        let after = after.trim_start();
        match after.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() => return Some(elements),
            None => return None,
        }
    }
}

fn quoted_element(text: &str) -> Option<(Option<String>, &str)> {
    let mut element = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((Some(element), &text[at + 1..])),
            '\\' => element.push(chars.next()?.1),
            c => element.push(c),
        }
    }
    None
}

fn bare_element(text: &str) -> Option<(Option<String>, &str)> {
    let end = text.find(',').unwrap_or(text.len());
    let word = text[..end].trim_end();
    if word.is_empty() || word.contains(['{', '}', '"']) {
        return None;
    }
    let element = (!word.eq_ignore_ascii_case("null")).then(|| word.replace('\\', ""));
    Some((element, &text[end..]))
}

/// The literal of some elements.
pub(in super::super) fn format<'a>(elements: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let written: Vec<String> =
        elements.into_iter().map(|element| element.map_or("NULL".to_owned(), quote)).collect();
    format!("{{{}}}", written.join(","))
}

fn quote(element: &str) -> String {
    let plain = !element.is_empty()
        && !element.eq_ignore_ascii_case("null")
        && !element.contains(|c: char| matches!(c, '{' | '}' | ',' | '"' | '\\') || c.is_whitespace());
    if plain {
        return element.to_owned();
    }
    format!("\"{}\"", element.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The catalogs' vectors (`int2vector`, `oidvector`): numbers with spaces between, without braces.
pub(in super::super) fn parse_vector(text: &str) -> Option<Vec<Option<String>>> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ' || byte == b'-');
    digits.then(|| text.split_whitespace().map(|number| Some(number.to_owned())).collect())
}

/// Writes a stored literal as the binary format.
pub(super) fn write_binary(literal: &str, element: Oid, out: &mut BytesMut) -> Result<(), SqlError> {
    let vector = parse_vector(literal);
    let lowest = i32::from(vector.is_none());
    let Some(elements) = vector.or_else(|| parse(literal)) else {
        return Err(input::invalid("array", literal));
    };
    out.put_i32(i32::from(!elements.is_empty()));
    out.put_i32(i32::from(elements.iter().any(Option::is_none)));
    out.put_u32(element.0);
    if elements.is_empty() {
        return Ok(());
    }
    out.put_i32(i32::try_from(elements.len()).unwrap_or(i32::MAX));
    out.put_i32(lowest);
    for item in elements {
        let Some(item) = item else {
            out.put_i32(-1);
            continue;
        };
        let at = out.len();
        out.put_i32(0);
        let value = input::decode(Type::new(element), Format::Text, item.as_bytes())?;
        binary::write(Type::new(element), value.as_ref(), out)?;
        let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Reads the binary format into a literal; `None` when malformed or of more dimensions.
pub(super) fn read_binary(mut bytes: &[u8]) -> Option<String> {
    let word = |bytes: &mut &[u8]| (bytes.len() >= 4).then(|| bytes.get_i32());
    let dimensions = word(&mut bytes)?;
    let _has_null = word(&mut bytes)?;
    let element = Type::new(Oid(word(&mut bytes)? as u32));
    if dimensions == 0 {
        return Some("{}".to_owned());
    }
    let count = word(&mut bytes).filter(|count| dimensions == 1 && *count >= 0)?;
    let _lower_bound = word(&mut bytes)?;
    let mut elements = Vec::new();
    for _ in 0..count {
        let length = word(&mut bytes)?;
        let Ok(length) = usize::try_from(length) else {
            elements.push(None);
            continue;
        };
        let (value, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        let value = input::decode(element, Format::Binary, value).ok()?;
        let mut text = BytesMut::new();
        super::text::write(element, value.as_ref(), &mut text);
        elements.push((value != Value::Null).then(|| String::from_utf8_lossy(&text).into_owned()));
    }
    bytes.is_empty().then(|| format(elements.iter().map(Option::as_deref)))
}

/// Only for text that is known to be UTF-8 or will be shown lossily.
pub(super) fn literal_of(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Null => "{}".to_owned(),
        ValueRef::Integer(value) => format!("{{{value}}}"),
        ValueRef::Real(value) => format!("{{{value}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_no_braces_and_count_from_zero() {
        assert_eq!(parse_vector("1 -2").map(|numbers| numbers.len()), Some(2));
        assert_eq!(parse_vector(""), Some(Vec::new()));
        assert_eq!(parse_vector("{1}"), None);
        let mut out = BytesMut::new();
        write_binary("3", wire::oid::INT2, &mut out).expect("a vector");
        assert_eq!(out[..], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 21, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3]);
    }

    #[test]
    fn literals_are_parsed_and_printed_back() {
        for text in ["{}", "{1,2,3}", "{NULL,a}", r#"{"a b","x,y","\"q\"","\\",""}"#, r#"{"NULL"}"#] {
            let elements = parse(text).unwrap_or_else(|| panic!("{text} is a literal"));
            assert_eq!(format(elements.iter().map(Option::as_deref)), text);
        }
        assert_eq!(parse(" { a , b } ").map(|elements| elements.len()), Some(2));
    }

    #[test]
    fn broken_literals_and_matrices_are_refused() {
        for text in ["", "{", "1,2", "{1,}", "{{1},{2}}", r#"{"a}"#, r#"{"a"b}"#] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_binary_form_reads_back_as_the_same_literal() {
        for (literal, element) in
            [("{1,NULL,-3}", wire::oid::INT4), (r#"{a,"b c"}"#, wire::oid::TEXT), ("{}", wire::oid::INT8)]
        {
            let mut out = BytesMut::new();
            write_binary(literal, element, &mut out).expect("a literal");
            assert_eq!(read_binary(&out).as_deref(), Some(literal));
        }
        assert_eq!(read_binary(&[0, 0, 0, 1]), None);
    }
}
