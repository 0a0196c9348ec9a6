//! Names of sources and of conditions: short, and fit to be a metric's label.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use crate::limits::NAME_BYTES_MAX;

/// Where events come from, like `cpu_pressure_ratio`, `errors.58` or `external.rack_temperature`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(Arc<str>);

/// What a condition is called, like `overload`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(Arc<str>);

/// A text that is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name of {1}: it takes 1 to {NAME_BYTES_MAX} lower-case letters, digits, `_` and, in sources, `.`"
)]
pub struct BadWord(String, &'static str);

fn is_word(text: &str, more: &[u8]) -> bool {
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(sound)
}

impl FromStr for Source {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        // SQLSTATE's classes have capitals: they are the only ones.
        let class = text.strip_prefix("errors.").is_some_and(|class| {
            class.len() == 2 && class.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        });
        if class || is_word(text, b"_.") { Ok(Self(text.into())) } else { Err(bad(text, "a source")) }
    }
}

impl FromStr for Kind {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        if is_word(text, b"_") { Ok(Self(text.into())) } else { Err(bad(text, "a condition")) }
    }
}

impl Kind {
    /// Another system's name of something in our letters: `DiskWillFill-24h` becomes `disk_will_fill_24h`.
    pub fn of_foreign(text: &str) -> Option<Self> {
        let mut word = String::new();
        let mut joined = true;
        for letter in text.chars() {
            if letter.is_ascii_alphanumeric() {
                if letter.is_ascii_uppercase() && !joined && !word.ends_with('_') {
                    word.push('_');
                }
                joined = letter.is_ascii_uppercase();
                word.push(letter.to_ascii_lowercase());
            } else if !word.is_empty() && !word.ends_with('_') {
                word.push('_');
                joined = true;
            }
        }
        word.truncate(NAME_BYTES_MAX);
        word.trim_matches('_').parse().ok()
    }
}

fn bad(text: &str, what: &'static str) -> BadWord {
    BadWord(text.chars().take(NAME_BYTES_MAX).collect(), what)
}

macro_rules! is_text {
    ($name:ident) => {
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

is_text!(Source);
is_text!(Kind);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for text in ["cpu_used_ratio", "errors.58", "errors.XX", "external.rack.9", "a"] {
            assert_eq!(text.parse::<Source>().expect(text).to_string(), text);
        }
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for text in ["", "A", "a b", "ü", "errors.xXX", "a\n", &long] {
            assert!(text.parse::<Source>().is_err(), "{text:?}");
            assert!(text.parse::<Kind>().is_err(), "{text:?}");
        }
        assert!("a.b".parse::<Kind>().is_err());
    }

    #[test]
    fn foreign_names_become_ours_or_nothing() {
        for (foreign, ours) in [
            ("DiskWillFill-24h", "disk_will_fill_24h"),
            ("overload", "overload"),
            ("  Host / OOM  ", "host_oom"),
            ("HTTPErrors", "httperrors"),
        ] {
            assert_eq!(Kind::of_foreign(foreign).expect(foreign).to_string(), ours);
        }
        for foreign in ["", "---", "ü"] {
            assert_eq!(Kind::of_foreign(foreign), None, "{foreign:?}");
        }
        assert!(Kind::of_foreign(&"Aa".repeat(100)).is_some(), "cut, not refused");
    }
}
