//! Names of databases, servers, handlers and users.

use std::{borrow::Borrow, fmt, ops::Deref, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::NAME_BYTES_MAX;

/// A name by PostgreSQL's identifier rules: 1 to 63 bytes of UTF-8 without control characters.
///
/// Shared, not copied, when cloned: the map and its index hold each name once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

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
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// A name in an ordered index: its first bytes are beside it, so that comparing two rarely has to look where they are.
///
/// A look-up in a large map is a walk from one cache miss to the next, and this halves them. Orders as names do: no name
/// contains the NUL that fills up short ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NameKey {
    head: [u64; 3],
    name: Name,
}

impl NameKey {
    /// To look up what may be no name at all.
    pub(crate) fn sought(text: &str) -> Self {
        Self::new(Name(text.into()))
    }

    /// The name.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    fn new(name: Name) -> Self {
        let mut head = [0; 24];
        let bytes = name.as_bytes();
        let known = bytes.len().min(head.len());
        head[..known].copy_from_slice(&bytes[..known]);
        let (words, _) = head.as_chunks();
        Self { head: [words[0], words[1], words[2]].map(u64::from_be_bytes), name }
    }
}

impl From<&Name> for NameKey {
    fn from(name: &Name) -> Self {
        Self::new(name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_names_do_however_much_of_them_is_alike() {
        let long = "x".repeat(30);
        let texts =
            ["a", "aa", "ab", "b", "Größe", "Größe 1", &long, &long[..24], &long[..23], &format!("{long}y")];
        for one in texts {
            for other in texts {
                let keys = NameKey::sought(one).cmp(&NameKey::from(&Name::new(other).expect("a name")));
                assert_eq!(keys, one.cmp(other), "{one} and {other}");
            }
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
