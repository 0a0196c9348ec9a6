//! What is proposed, and what comes back.

use std::{fmt, sync::Arc};

use model::{Entry, Outcome, Rejection, codec};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};

/// An entry of the map together with its bytes: encoded once by the leader, written and sent as they are.
///
/// Shared when cloned.
#[derive(Clone, PartialEq)]
pub struct Proposal(Arc<Inner>);

#[derive(PartialEq)]
struct Inner {
    entry: Entry,
    bytes: Vec<u8>,
}

impl Proposal {
    /// Encodes an entry.
    pub fn new(entry: Entry) -> Self {
        let bytes = codec::encode_entry(&entry);
        Self(Arc::new(Inner { entry, bytes }))
    }

    /// Reads an entry back.
    ///
    /// # Errors
    /// [`codec::Error`] when it is damaged or from a later release.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, codec::Error> {
        let entry = codec::decode_entry(&bytes)?;
        Ok(Self(Arc::new(Inner { entry, bytes })))
    }

    /// The entry.
    pub fn entry(&self) -> &Entry {
        &self.0.entry
    }

    /// Its bytes, as the model's codec makes them.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.entry.fmt(f)
    }
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.entry.command)
    }
}

impl Serialize for Proposal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.bytes())
    }
}

impl<'de> Deserialize<'de> for Proposal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Proposal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the bytes of a log entry")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Proposal, E> {
                Proposal::from_bytes(bytes.to_vec()).map_err(E::custom)
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

/// What applying an entry gave. An empty entry or a change of members gives [`Outcome::Done`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied(pub Result<Outcome, Rejection>);
