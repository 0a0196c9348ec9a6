//! Newtypes of the log: where a record stands, who wrote it, what its bytes hash to.

use std::fmt;

use model::Incarnation;

/// Where a record stands in its database's log. The first record is 1; 0 stands before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// Before the first record.
    pub const START: Self = Self(0);

    /// Nothing for numbers that no log can reach; such a name or header is not ours.
    pub fn new(number: u64) -> Option<Self> {
        (number <= i64::MAX as u64).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The position after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Records from after `earlier` up to here.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The xxh3-128 of a record's bytes before its trailer. Each record names that of the record before it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RecordHash(pub(crate) u128);

impl RecordHash {
    /// What the first record names as the hash of the record before it.
    pub const NONE: Self = Self(0);
}

impl fmt::Display for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for RecordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordHash({self})")
    }
}

/// Who wrote a record: one opening of a log by one life of a process. An own write is recognised by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nonce {
    /// The life of the process. Random.
    pub process: Incarnation,
    /// Which of that process's openings. Counts up.
    pub opening: u64,
}

impl Nonce {
    /// Of nobody: before the first record.
    pub const NOBODY: Self = Self { process: Incarnation(0), opening: 0 };
}

impl Default for Nonce {
    fn default() -> Self {
        Self::NOBODY
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.process, self.opening)
    }
}
