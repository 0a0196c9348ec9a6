//! What the journal asks of an object store, and nothing more. Each store is one file below.
//!
//! The contract, which [`prove()`] tests as far as a running store can be tested:
//! - [`create`](Objects::create) is atomic: of all who race for a key exactly one gets [`Created::Made`], and from then
//!   on everybody reads that one's bytes, whole, or nothing at all after a delete.
//! - What `create` has answered [`Created::Made`] or [`Created::Taken`] for, and what [`list`](Objects::list) shows,
//!   survives a power cut.
//! - An error of `create` means *unknown*: the object may be there, come to be there later, or never be there.

#[cfg(feature = "cloud")]
mod cloud;
mod disk;
mod faulty;
mod layout;
mod local;
mod memory;
mod pack;
mod prove;

use std::{fmt, ops::Range};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use crate::limits::READS_AT_ONCE;

#[cfg(feature = "cloud")]
pub use cloud::{Cloud, UrlError};
pub use disk::{Appended, Disk, Link, RealDisk, Staged};
pub use faulty::{Faults, Faulty};
pub use layout::Layout;
pub use local::{Local, OnBroken};
pub use memory::Memory;
pub use prove::{ProofError, prove};

/// The name of an object: segments of `[a-z0-9.-]` joined by `/`. Only this crate makes them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    pub(crate) fn new(text: String) -> Self {
        debug_assert!(
            text.split('/').all(|s| !s.is_empty() && s != "." && s != ".."),
            "BUG: bad key {text:?}"
        );
        Self(text)
    }

    /// The folder that holds everything. Only to look at its folders.
    pub(crate) fn root() -> Self {
        Self(String::new())
    }

    /// The key of `name` in the folder that this key names.
    pub fn join(&self, name: &str) -> Self {
        Self::new(format!("{}/{name}", self.0))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder and the name in it; the folder of a key without `/` is empty.
    pub fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('/').unwrap_or(("", &self.0))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What came of a [`Objects::create`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The object is there, with our bytes, durable.
    Made,
    /// An object is there, durable. Perhaps with our bytes, from an attempt whose answer was lost.
    Taken,
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The name in the folder.
    pub name: String,
    /// Length in bytes.
    pub size: u64,
}

/// A store of objects that are made once, read and deleted, never changed.
#[async_trait]
pub trait Objects: fmt::Debug + Send + Sync + 'static {
    /// Makes the object out of `parts`, one after the other, unless the key is taken.
    async fn create(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError>;

    /// The object's bytes, or those of them in `range` that exist; nothing when it is not there.
    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Bytes>, ObjectError>;

    /// The objects directly in a folder, sorted by name.
    async fn list(&self, folder: &Key) -> Result<Vec<Listed>, ObjectError>;

    /// The folders directly in a folder, sorted by name. Only offline commands use it.
    async fn folders(&self, folder: &Key) -> Result<Vec<String>, ObjectError>;

    /// Deletes the object; one that is not there is deleted already.
    async fn delete(&self, key: &Key) -> Result<(), ObjectError>;

    /// Deletes objects of one folder: all of them, or after an error perhaps some.
    async fn delete_all(&self, keys: &[Key]) -> Result<(), ObjectError> {
        let deletes: Vec<_> = keys.iter().map(|key| self.delete(key)).collect();
        stream::iter(deletes).buffer_unordered(READS_AT_ONCE).try_collect().await
    }

    /// The same store for a thread that may block, where that is all it takes.
    fn blocking(&self) -> Option<&dyn BlockingObjects> {
        None
    }
}

/// An [`Objects`] whose calls are done on the calling thread, which spares the ways to another thread and back.
pub trait BlockingObjects {
    /// As [`Objects::create`].
    fn create_here(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError>;
}

/// A store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {key}")]
pub struct ObjectError {
    /// What was tried.
    pub action: Action,
    /// On what.
    pub key: Key,
    /// What it means.
    pub kind: ErrorKind,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// What an [`ObjectError`] means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// It may have been done, may be done later, or not. Trying again is right.
    Unknown,
    /// It was not done: the store is full, read-only or forbids it. Trying again is right once somebody has helped.
    Refused,
    /// A sync failed: what the store has said so far may not survive a power cut. This process must end.
    Broken,
}

/// The actions of [`Objects`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// [`Objects::create`]
    Create,
    /// [`Objects::read`]
    Read,
    /// [`Objects::list`]
    List,
    /// [`Objects::delete`]
    Delete,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::List => "list",
            Self::Delete => "delete",
        })
    }
}

impl Action {
    pub(crate) fn failed(
        self,
        key: &Key,
        kind: ErrorKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> ObjectError {
        ObjectError { action: self, key: key.clone(), kind, source: source.into() }
    }
}

/// The existing part of `range` in something of `len` bytes.
fn clip(range: Option<Range<u64>>, len: u64) -> Range<u64> {
    range.map_or(0..len, |r| r.start.min(len)..r.end.min(len).max(r.start.min(len)))
}
