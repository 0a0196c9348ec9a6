//! ILIKE: SQLite's LIKE without regard to case knows ASCII only.

use std::borrow::Cow;

use wire::sqlstate;

use super::super::sql_error::SqlError;
use super::{Arguments, Registrar, Returned, SqlRef, boolean};

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    registrar.strict("pg_ilike", 2, |arguments| ilike(arguments, Some('\\')))?;
    registrar.strict("pg_ilike", 3, |arguments| ilike(arguments, arguments.text(2).chars().next()))
}

fn ilike(arguments: &Arguments<'_, '_>, escape: Option<char>) -> Returned {
    boolean(matches(&words(arguments, 0).to_lowercase(), &words(arguments, 1).to_lowercase(), escape)?)
}

/// Text without a copy where it is text.
fn words<'a>(arguments: &'a Arguments<'_, '_>, at: usize) -> Cow<'a, str> {
    match arguments.0.get_raw(at) {
        SqlRef::Text(text) => String::from_utf8_lossy(text),
        _other => Cow::Owned(arguments.text(at)),
    }
}

/// Goes back to the last `%` only, so that the time is at most the product of the lengths.
fn matches(value: &str, pattern: &str, escape: Option<char>) -> Result<bool, SqlError> {
    let (mut value, mut pattern) = (value, pattern);
    let mut back: Option<(&str, &str)> = None;
    loop {
        let mut rest = pattern.chars();
        let step = match rest.next() {
            Some(c) if Some(c) == escape => {
                let literal = rest.next().ok_or_else(bad_escape)?;
                eat(value, |c| c == literal)
            }
            Some('%') => {
                pattern = rest.as_str();
                back = Some((value, pattern));
                continue;
            }
            Some('_') => eat(value, |_| true),
            Some(literal) => eat(value, |c| c == literal),
            None if value.is_empty() => return Ok(true),
            None => None,
        };
        (value, pattern) = match (step, &mut back) {
            (Some(after), _) => (after, rest.as_str()),
            (None, None) => return Ok(false),
            (None, Some((from, pattern))) => {
                let Some(next) = eat(from, |_| true) else { return Ok(false) };
                *from = next;
                (next, *pattern)
            }
        };
    }
}

/// The text after its first character, if that is wanted.
fn eat(text: &str, wanted: impl Fn(char) -> bool) -> Option<&str> {
    let mut chars = text.chars();
    chars.next().filter(|c| wanted(*c)).map(|_| chars.as_str())
}

fn bad_escape() -> SqlError {
    SqlError::new(sqlstate::INVALID_ESCAPE_SEQUENCE, "LIKE pattern must not end with escape character")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_postgresql() {
        let table = [
            ("abc", "abc", true),
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "_b_", true),
            ("abc", "ab", false),
            ("abc", "A%", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("aXbXc", "a%X%c", true),
            ("", "%", true),
            ("", "_", false),
            ("héé", "h__", true),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "%a%a%a%a%a%a%a%a%c", false),
        ];
        for (value, pattern, expected) in table {
            assert_eq!(matches(value, pattern, Some('\\')), Ok(expected), "{value} LIKE {pattern}");
        }
        assert_eq!(matches("a\\", "a\\", None), Ok(true));
        assert_eq!(matches("50%", "50!%", Some('!')), Ok(true));
        assert!(matches("a", "a\\", Some('\\')).is_err());
    }
}
