//! Arrays, which are stored as PostgreSQL's literals.

use rusqlite::types::Value as Sql;
use wire::sqlstate;

use super::super::sql_error::SqlError;
use super::super::types::array::{format, parse, parse_vector};
use super::{Arguments, Registrar, Returned, boolean, text};

pub(super) const NAMES: &[&str] = &[
    "array_length",
    "cardinality",
    "array_position",
    "array_append",
    "array_prepend",
    "array_remove",
    "array_cat",
    "array_to_string",
    "string_to_array",
    "array_upper",
    "array_lower",
    "array_ndims",
];

type Elements = Vec<Option<String>>;

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    registrar.pure("pg_array", -1, |arguments| {
        let elements: Elements = (0..arguments.len()).map(|at| element(arguments, at)).collect();
        text(format(elements.iter().map(Option::as_deref)))
    })?;
    registrar.strict("pg_array_get", 2, |arguments| {
        let elements = elements(arguments, 0)?;
        let at = usize::try_from(arguments.integer(1) - lowest(arguments)).ok();
        let found = at.and_then(|at| elements.get(at).cloned().flatten());
        Ok(found.map_or(Sql::Null, scalar))
    })?;
    registrar.strict("pg_array_json", 1, |arguments| text(json(&elements(arguments, 0)?)))?;
    registrar.strict("array_length", 2, |arguments| match elements(arguments, 0)?.len() {
        0 => Ok(Sql::Null),
        length if arguments.integer(1) == 1 => Ok(Sql::Integer(length as i64)),
        _other_dimension => Ok(Sql::Null),
    })?;
    registrar.strict("array_upper", 2, |arguments| {
        let length = elements(arguments, 0)?.len() as i64;
        Ok(if length == 0 { Sql::Null } else { Sql::Integer(length - 1 + lowest(arguments)) })
    })?;
    registrar.strict("array_lower", 2, |arguments| {
        let empty = elements(arguments, 0)?.is_empty();
        Ok(if empty { Sql::Null } else { Sql::Integer(lowest(arguments)) })
    })?;
    registrar.strict("pg_subscripts", 1, |arguments| {
        let length = elements(arguments, 0)?.len() as i64;
        text(list(lowest(arguments)..lowest(arguments) + length))
    })?;
    registrar.pure("pg_zip", -1, zip)?;
    registrar.strict("pg_series", 2, |arguments| series(arguments, 1))?;
    registrar.strict("pg_series", 3, |arguments| series(arguments, arguments.integer(2)))?;
    registrar.strict("array_ndims", 1, |_| Ok(Sql::Integer(1)))?;
    registrar.strict("cardinality", 1, |arguments| Ok(Sql::Integer(elements(arguments, 0)?.len() as i64)))?;
    registrar.pure("array_position", 2, |arguments| {
        let wanted = element(arguments, 1);
        let found = nullable(arguments, 0)?.iter().position(|element| *element == wanted);
        Ok(found.map_or(Sql::Null, |at| Sql::Integer(at as i64 + 1)))
    })?;
    registrar
        .pure("array_append", 2, |arguments| join(nullable(arguments, 0)?, vec![element(arguments, 1)]))?;
    registrar
        .pure("array_prepend", 2, |arguments| join(vec![element(arguments, 0)], nullable(arguments, 1)?))?;
    registrar.pure("array_cat", 2, |arguments| join(nullable(arguments, 0)?, nullable(arguments, 1)?))?;
    registrar.pure("array_remove", 2, |arguments| {
        let unwanted = element(arguments, 1);
        join(nullable(arguments, 0)?.into_iter().filter(|element| *element != unwanted).collect(), Vec::new())
    })?;
    registrar.pure("array_to_string", 2, |arguments| to_string(arguments, None))?;
    registrar.pure("array_to_string", 3, |arguments| to_string(arguments, element(arguments, 2)))?;
    registrar.pure("string_to_array", 2, to_array)?;
    registrar.pure("string_to_array", 3, to_array)?;
    registrar.strict("pg_contains", 2, contains)?;
    registrar.strict("pg_overlaps", 2, |arguments| {
        let (a, b) = (elements(arguments, 0)?, elements(arguments, 1)?);
        boolean(a.iter().any(|element| element.is_some() && b.contains(element)))
    })
}

fn element(arguments: &Arguments<'_, '_>, at: usize) -> Option<String> {
    (!arguments.is_null(at)).then(|| arguments.text(at))
}

/// The subscript of the first argument's first element: vectors count from 0.
fn lowest(arguments: &Arguments<'_, '_>) -> i64 {
    i64::from(parse_vector(&arguments.text(0)).is_none())
}

fn list(numbers: impl Iterator<Item = i64>) -> String {
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    format!("[{}]", numbers.join(","))
}

/// Arrays side by side as a JSON list of lists, as long as the longest.
fn zip(arguments: &Arguments<'_, '_>) -> Returned {
    let arrays: Vec<Elements> =
        (0..arguments.len()).map(|at| nullable(arguments, at)).collect::<Result<_, _>>()?;
    let length = arrays.iter().map(Vec::len).max().unwrap_or(0);
    let row = |at: usize| json(&arrays.iter().map(|array| array.get(at).cloned().flatten()).collect());
    text(format!("[{}]", (0..length).map(row).collect::<Vec<_>>().join(",")))
}

/// A series that depends on other tables, as a JSON list.
fn series(arguments: &Arguments<'_, '_>, step: i64) -> Returned {
    const LENGTH_MAX: usize = 1_000_000;
    let (first, last) = (arguments.integer(0), arguments.integer(1));
    if step == 0 {
        return Err(SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    let numbers = std::iter::successors(Some(first), |number| number.checked_add(step));
    let numbers = numbers.take_while(|number| if step > 0 { *number <= last } else { *number >= last });
    let numbers: Vec<i64> = numbers.take(LENGTH_MAX + 1).collect();
    if numbers.len() > LENGTH_MAX {
        let message = "a series that depends on other tables is too long";
        return Err(SqlError::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, message));
    }
    text(list(numbers.into_iter()))
}

fn elements(arguments: &Arguments<'_, '_>, at: usize) -> Result<Elements, SqlError> {
    let literal = arguments.text(at);
    parse_vector(&literal).or_else(|| parse(&literal)).ok_or_else(|| {
        SqlError::new(
            sqlstate::INVALID_TEXT_REPRESENTATION,
            format!("malformed array literal: \"{literal}\""),
        )
    })
}

/// A NULL array counts as empty.
fn nullable(arguments: &Arguments<'_, '_>, at: usize) -> Result<Elements, SqlError> {
    if arguments.is_null(at) { Ok(Elements::new()) } else { elements(arguments, at) }
}

fn join(mut left: Elements, right: Elements) -> Returned {
    left.extend(right);
    text(format(left.iter().map(Option::as_deref)))
}

/// Elements have no type of their own: what looks like a number is one, so that it compares like one.
pub(super) fn scalar(element: String) -> Sql {
    let number = element.starts_with(|c: char| c.is_ascii_digit() || c == '-') && !element.starts_with("00");
    if !number {
        return Sql::Text(element);
    }
    match element.parse::<i64>() {
        Ok(value) if value.to_string() == element => Sql::Integer(value),
        Ok(_) | Err(_) => match element.parse::<f64>() {
            Ok(value) if value.to_string() == element => Sql::Real(value),
            Ok(_) | Err(_) => Sql::Text(element),
        },
    }
}

fn json(elements: &Elements) -> String {
    let written: Vec<String> = elements
        .iter()
        .map(|element| match element.clone().map(scalar) {
            None | Some(Sql::Null) => "null".to_owned(),
            Some(Sql::Integer(value)) => value.to_string(),
            Some(Sql::Real(value)) => value.to_string(),
            Some(Sql::Text(text)) => serde_json::Value::String(text).to_string(),
            Some(Sql::Blob(_)) => "null".to_owned(),
        })
        .collect();
    format!("[{}]", written.join(","))
}

fn to_string(arguments: &Arguments<'_, '_>, null: Option<String>) -> Returned {
    if arguments.is_null(0) || arguments.is_null(1) {
        return Ok(Sql::Null);
    }
    let separator = arguments.text(1);
    let parts = elements(arguments, 0)?.into_iter().filter_map(|element| element.or_else(|| null.clone()));
    text(parts.collect::<Vec<_>>().join(&separator))
}

/// A NULL separator splits into characters, an empty one not at all.
fn to_array(arguments: &Arguments<'_, '_>) -> Returned {
    if arguments.is_null(0) {
        return Ok(Sql::Null);
    }
    let value = arguments.text(0);
    let null = (arguments.len() > 2).then(|| element(arguments, 2)).flatten();
    let parts: Vec<String> = match element(arguments, 1) {
        _ if value.is_empty() => Vec::new(),
        None => value.chars().map(String::from).collect(),
        Some(separator) if separator.is_empty() => vec![value],
        Some(separator) => value.split(&separator).map(str::to_owned).collect(),
    };
    text(format(parts.iter().map(|part| (null.as_ref() != Some(part)).then_some(part.as_str()))))
}

/// `@>` for arrays and for JSON.
fn contains(arguments: &Arguments<'_, '_>) -> Returned {
    let (left, right) = (arguments.text(0), arguments.text(1));
    if let (Ok(left), Ok(right)) = (serde_json::from_str(&left), serde_json::from_str(&right)) {
        return boolean(json_contains(&left, &right));
    }
    let (left, right) = (elements(arguments, 0)?, elements(arguments, 1)?);
    boolean(right.iter().all(|element| element.is_some() && left.contains(element)))
}

fn json_contains(left: &serde_json::Value, right: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object};
    match (left, right) {
        (Object(left), Object(right)) => {
            right.iter().all(|(key, value)| left.get(key).is_some_and(|has| json_contains(has, value)))
        }
        (Array(left), Array(right)) => {
            right.iter().all(|value| left.iter().any(|has| json_contains(has, value)))
        }
        (Array(left), single) => left.contains(single),
        (left, right) => left == right,
    }
}
