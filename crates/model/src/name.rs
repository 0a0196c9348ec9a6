//! Names of databases, servers, handlers and users.

use std::{borrow::Borrow, fmt, ops::Deref, str::FromStr};

use arcstr::ArcStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{limits::NAME_BYTES_MAX, text};

/// A name by PostgreSQL's identifier rules: 1 to 63 bytes of UTF-8 without control characters.
///
/// Shared, not copied, when cloned: the map and its index hold each name once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(ArcStr);

/// Why a text cannot be a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum NameError {
    /// No text at all.
    #[error("a name must not be empty")]
    Empty,
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("a name has at most {NAME_BYTES_MAX} bytes, this one has {bytes}")]
    TooLong {
        /// How many bytes it has.
        bytes: usize,
    },
    /// A control character, NUL among them.
    #[error("a name must not contain control characters")]
    Control,
}

impl Name {
    /// Checks and makes a name.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long, or has control characters.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer, "a name", Self::new)
    }
}

/// How much of a name stands in the keys of an index.
const HEAD_BYTES: usize = 32;

/// A name in an ordered index: 32 bytes of it stand in the key itself, and only a longer one is looked for where it is.
///
/// A look-up in a large map is a walk from one cache miss to the next, and copying a piece of the index touches whatever
/// its keys point to. Keys order as names do: no name contains the NUL that fills up short ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NameKey {
    head: [u64; HEAD_BYTES / 8],
    long: Option<Name>,
}

impl NameKey {
    /// To look up what may be no name at all; `None` when it cannot be one, being too long or with a NUL.
    pub(crate) fn sought(text: &str) -> Option<Self> {
        let possible = text.len() <= NAME_BYTES_MAX && !text.contains('\0');
        possible
            .then(|| Self { head: head(text), long: (text.len() > HEAD_BYTES).then(|| Name(text.into())) })
    }
}

impl From<&Name> for NameKey {
    fn from(name: &Name) -> Self {
        Self { head: head(name), long: (name.len() > HEAD_BYTES).then(|| name.clone()) }
    }
}

/// The first bytes of a text as numbers that order as they do.
fn head(text: &str) -> [u64; HEAD_BYTES / 8] {
    let mut bytes = [0; HEAD_BYTES];
    let known = text.len().min(HEAD_BYTES);
    bytes[..known].copy_from_slice(&text.as_bytes()[..known]);
    let (words, _) = bytes.as_chunks();
    [words[0], words[1], words[2], words[3]].map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_names_do_however_much_of_them_is_alike() {
        let long = "x".repeat(63);
        let ends = [23, 24, 31, 32, 33, 48, 62].map(|end| &long[..end]);
        let others = [format!("{}y", &long[..31]), format!("{}y", &long[..32]), format!("{}y", &long[..62])];
        let texts = ["a", "aa", "ab", "b", "Größe", "Größe 1", &long, &others[0], &others[1], &others[2]];
        let texts: Vec<&str> = texts.into_iter().chain(ends).collect();
        let key = |text| NameKey::sought(text).expect("it could be a name");
        for one in &texts {
            for other in &texts {
                let keys = key(one).cmp(&NameKey::from(&Name::new(other).expect("a name")));
                assert_eq!(keys, one.cmp(other), "{one} and {other}");
            }
        }
    }

    #[test]
    fn what_can_be_no_name_is_not_sought() {
        assert!(NameKey::sought("").is_some(), "it is just not there");
        for text in ["a\0", "\0", &"x".repeat(64)] {
            assert!(NameKey::sought(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_name_follows_the_identifier_rules() {
        assert!(Name::new("shop").is_ok());
        assert!(Name::new("Größe 1").is_ok());
        assert!(Name::new(&"x".repeat(63)).is_ok());
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new(&"x".repeat(64)), Err(NameError::TooLong { bytes: 64 }));
        assert_eq!(Name::new("a\0b"), Err(NameError::Control));
    }
}
