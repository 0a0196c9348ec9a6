//! What a client knows about the world: notices, caches, maps, names, versions, routines.

use serde::Serialize;

use super::Values;

/// Something to know (R74). Changes nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Information {
    /// Its slot, such as `maintenance`.
    pub topic: String,
    /// For people, up to 256 bytes.
    pub text: String,
    /// For programs, at most 16.
    #[serde(skip_serializing_if = "Values::is_empty")]
    pub values: Values,
}

/// Drop what is cached about servers, so that the next request looks it up (R83).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flush {
    /// Which entries, at most 64; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
}

impl Flush {
    /// Whether the entry of that key goes.
    pub fn covers(&self, key: &str) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.iter().any(|one| one == key))
    }
}

/// Read a cached view of data again (R84), or a part of it (R85).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refresh {
    /// The view's name.
    pub view: String,
    /// Which keys; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub portion: Option<KeyRange>,
}

impl Refresh {
    /// Whether the row of that key in that view is to be read again.
    pub fn covers(&self, view: &str, key: &str) -> bool {
        self.view == view && self.portion.as_ref().is_none_or(|portion| portion.covers(key))
    }
}

/// Keys from one, included, to another, excluded, in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRange {
    /// The first key.
    pub from: String,
    /// The first key behind it; `None` for no end. More than `from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl KeyRange {
    /// Whether `key` is in it.
    pub fn covers(&self, key: &str) -> bool {
        key >= self.from.as_str() && self.to.as_deref().is_none_or(|to| key < to)
    }
}

/// Which database holds which part of a table (R86). A new version replaces the old one at once and as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FanOut {
    /// Its slot.
    pub table: String,
    /// At least 1; a lower one than the present is refused.
    pub version: u64,
    /// What is compared with the parts.
    pub by: Partitioning,
    /// 1 to 256, in rising order, the first from the empty text: there are no gaps.
    pub parts: Vec<Part>,
}

/// What decides where a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Partitioning {
    /// The key's text, by its bytes.
    Range,
    /// The first 8 hexadecimal digits, lower case, of the SHA-256 of the key's text.
    Hash,
}

/// A part of a table, up to the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its first key or digits.
    pub from: String,
    /// The database that holds it.
    pub database: String,
}

/// What a logical name stands for (R87, R88). Present connections go on, the next ones go there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataSource {
    /// The logical name; its slot.
    pub name: String,
    /// At least 1; a lower one than the present is refused.
    pub version: u64,
    /// What becomes of it.
    pub change: SourceChange,
}

/// A change to a logical name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceChange {
    /// These connection parameters, out of [`PARAMETERS`](crate::PARAMETERS): never a secret, never TLS.
    Set(Values),
    /// What the version of that number said.
    Rollback(u64),
    /// The application's own configuration counts again.
    Remove,
}

/// A newer driver exists (R82). A linked library cannot replace itself, so this is advice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Update {
    /// The version to take.
    pub version: String,
    /// How much it matters.
    pub urgency: Urgency,
    /// SHA-256 of the release, 64 hexadecimal digits in lower case.
    pub sha256: String,
    /// The name of the key that signed it, as the client's owner calls it.
    pub key: String,
    /// Ed25519, 64 bytes in base64 with padding.
    pub signature: String,
}

/// How much an update matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// It exists.
    Available,
    /// It is better.
    Recommended,
    /// The present one will stop working, or is not safe.
    Required,
}

impl Urgency {
    /// As on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Urgency::Available => "available",
            Urgency::Recommended => "recommended",
            Urgency::Required => "required",
        }
    }
}

/// Switch on a routine that is built into the driver (R91).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Activate {
    /// Its name; its slot. One that the driver does not have is refused.
    pub routine: String,
    /// At most 16.
    #[serde(skip_serializing_if = "Values::is_empty")]
    pub parameters: Values,
}

/// Switch it off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deactivate {
    /// Its name.
    pub routine: String,
}
