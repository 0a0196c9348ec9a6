//! Regular expressions and SIMILAR TO. The engine runs in linear time, so a pattern can never hang a session.
//!
//! PostgreSQL's flavour has back references and look-around, which this has not: they are 2201B.

use std::cell::RefCell;
use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use rusqlite::types::Value as Sql;
use wire::sqlstate;

use super::super::sql_error::SqlError;
use super::super::types::array;
use super::{Arguments, Registrar, Returned, boolean, text};

/// Bytes of memory for one compiled pattern.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// Patterns kept by a thread.
const CACHED_MAX: usize = 16;

pub(super) const NAMES: &[&str] = &[
    "regexp_replace",
    "regexp_match",
    "regexp_matches",
    "regexp_split_to_array",
    "regexp_like",
    "regexp_count",
    "regexp_substr",
    "regexp",
];

thread_local! {
    static CACHE: RefCell<Vec<(String, bool, Arc<Regex>)>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    registrar.strict("pg_regex", 3, |arguments| {
        boolean(compile(&arguments.text(1), arguments.integer(2) != 0)?.is_match(&arguments.text(0)))
    })?;
    // SQLite's own REGEXP operator.
    registrar.strict("regexp", 2, |arguments| {
        boolean(compile(&arguments.text(0), false)?.is_match(&arguments.text(1)))
    })?;
    registrar.strict("pg_similar", 2, |arguments| {
        boolean(similar(&arguments.text(1))?.is_match(&arguments.text(0)))
    })?;
    registrar.strict("pg_regex_substring", 2, |arguments| {
        let pattern = compile(&arguments.text(1), false)?;
        let value = arguments.text(0);
        let found = pattern.captures(&value).and_then(|groups| groups.get(1).or_else(|| groups.get(0)));
        Ok(found.map_or(Sql::Null, |found| Sql::Text(found.as_str().to_owned())))
    })?;
    for count in [3, 4] {
        registrar.strict("regexp_replace", count, replace)?;
    }
    for count in [2, 3] {
        registrar.strict("regexp_match", count, first_match)?;
        registrar.strict("regexp_matches", count, first_match)?;
        registrar.strict("regexp_split_to_array", count, split)?;
        registrar.strict("regexp_like", count, |arguments| {
            boolean(with_flags(arguments, 2)?.is_match(&arguments.text(0)))
        })?;
        registrar.strict("regexp_count", count, |arguments| {
            Ok(Sql::Integer(with_flags(arguments, 2)?.find_iter(&arguments.text(0)).count() as i64))
        })?;
    }
    registrar.strict("regexp_substr", 2, |arguments| {
        let value = arguments.text(0);
        let found = compile(&arguments.text(1), false)?.find(&value).map(|found| found.as_str().to_owned());
        Ok(found.map_or(Sql::Null, Sql::Text))
    })
}

fn compile(pattern: &str, ignore_case: bool) -> Result<Arc<Regex>, SqlError> {
    CACHE.with_borrow_mut(|cache| {
        if let Some((.., regex)) =
            cache.iter().find(|(known, case, _)| known == pattern && *case == ignore_case)
        {
            return Ok(Arc::clone(regex));
        }
        let source = from_postgresql(pattern);
        let built = RegexBuilder::new(&source)
            .case_insensitive(ignore_case)
            .dot_matches_new_line(true)
            .size_limit(PATTERN_BYTES_MAX)
            .build();
        let regex = Arc::new(built.map_err(|_| invalid(pattern))?);
        if cache.len() == CACHED_MAX {
            cache.remove(0);
        }
        cache.push((pattern.to_owned(), ignore_case, Arc::clone(&regex)));
        Ok(regex)
    })
}

fn invalid(pattern: &str) -> SqlError {
    SqlError::new(sqlstate::INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: \"{pattern}\""))
}

/// `\m`, `\M`, `\y` are word boundaries there, `***=` makes the rest literal.
fn from_postgresql(pattern: &str) -> String {
    if let Some(literal) = pattern.strip_prefix("***=") {
        return regex::escape(literal);
    }
    let pattern = pattern.strip_prefix("***:").unwrap_or(pattern);
    pattern
        .replace("\\m", "\\b{start}")
        .replace("\\M", "\\b{end}")
        .replace("\\y", "\\b")
        .replace("\\Y", "\\B")
        .replace("\\A", "^")
        .replace("\\Z", "$")
}

/// SQL's own patterns: LIKE's wildcards within a regular expression.
fn similar(pattern: &str) -> Result<Arc<Regex>, SqlError> {
    let mut source = String::from("^(?:");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => source.push_str(".*"),
            '_' => source.push('.'),
            '\\' => source.push_str(&regex::escape(&chars.next().map(String::from).unwrap_or_default())),
            '.' | '^' | '$' => source.push_str(&regex::escape(&c.to_string())),
            c => source.push(c),
        }
    }
    source.push_str(")$");
    compile(&source, false)
}

fn with_flags(arguments: &Arguments<'_, '_>, at: usize) -> Result<Arc<Regex>, SqlError> {
    let flags = if arguments.len() > at { arguments.text(at) } else { String::new() };
    compile(&arguments.text(1), flags.contains('i'))
}

fn replace(arguments: &Arguments<'_, '_>) -> Returned {
    let flags = if arguments.len() > 3 { arguments.text(3) } else { String::new() };
    let regex = compile(&arguments.text(1), flags.contains('i'))?;
    let value = arguments.text(0);
    let with = replacement(&arguments.text(2));
    let limit = usize::from(!flags.contains('g'));
    text(regex.replacen(&value, limit, with.as_str()).into_owned())
}

/// `\1` and `\&` become `${1}` and `${0}`.
fn replacement(with: &str) -> String {
    let mut out = String::new();
    let mut chars = with.chars();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some('&') => out.push_str("${0}"),
                Some(digit @ '1'..='9') => out.push_str(&format!("${{{digit}}}")),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

/// The groups of the first match, or the match itself; NULL without one.
fn first_match(arguments: &Arguments<'_, '_>) -> Returned {
    let value = arguments.text(0);
    let regex = with_flags(arguments, 2)?;
    let Some(groups) = regex.captures(&value) else { return Ok(Sql::Null) };
    let first = usize::from(groups.len() > 1);
    text(array::format((first..groups.len()).map(|at| groups.get(at).map(|group| group.as_str()))))
}

fn split(arguments: &Arguments<'_, '_>) -> Returned {
    let value = arguments.text(0);
    let regex = with_flags(arguments, 2)?;
    text(array::format(regex.split(&value).map(Some)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_refer_to_groups() {
        let regex = compile("(\\w+) (\\w+)", false).expect("a pattern");
        assert_eq!(regex.replacen("a b", 1, replacement("\\2 \\1$").as_str()), "b a$");
    }

    #[test]
    fn a_bad_pattern_is_2201b() {
        assert_eq!(
            compile("(", false).map_err(|error| error.state.to_string()).err().as_deref(),
            Some("2201B")
        );
    }
}
