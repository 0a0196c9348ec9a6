//! The bytes of log entries and snapshots.
//!
//! bincode does not describe itself, so every value starts with a version byte, and golden-byte tests keep every
//! version that was ever written readable. A snapshot, which may have lain in somebody's backup, also ends with a
//! checksum; entries leave that to the log they stand in. This is the only place that knows about bincode in this crate.

mod snapshot;

use serde::{Deserialize, Serialize};

use crate::{Entry, Fleet};

/// The version of log entries that is written.
const ENTRY_VERSION: u8 = 1;
/// The version of snapshots that is written.
const SNAPSHOT_VERSION: u8 = 1;
/// Length of the checksum at a snapshot's end: xxh3-64 of everything before, little-endian.
const CHECKSUM_BYTES: usize = 8;

/// Why bytes could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No bytes at all.
    #[error("{what} is empty")]
    Empty {
        /// Entry or snapshot.
        what: &'static str,
    },
    /// Written by a later release.
    #[error("{what} has version {version}, this release reads up to {known}; upgrade before starting")]
    VersionUnknown {
        /// Entry or snapshot.
        what: &'static str,
        /// What was found.
        version: u8,
        /// The newest that can be read.
        known: u8,
    },
    /// Cut short, or not the bytes that were written.
    #[error("{what} is damaged: its checksum does not fit its {bytes} bytes")]
    Checksum {
        /// Entry or snapshot.
        what: &'static str,
        /// How many bytes there are.
        bytes: usize,
    },
    /// Damaged.
    #[error("{what} is damaged")]
    Damaged {
        /// Entry or snapshot.
        what: &'static str,
        /// What the decoder said.
        #[source]
        source: bincode::Error,
    },
    /// Decodes, but cannot be a map.
    #[error("snapshot contradicts itself: {reason}")]
    Contradiction {
        /// What does not fit.
        reason: String,
    },
}

/// Encodes a log entry.
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    encode(ENTRY_VERSION, entry)
}

/// Decodes a log entry of any version ever written.
///
/// # Errors
/// [`Error`] when it is damaged or from a later release.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, Error> {
    const WHAT: &str = "log entry";
    decode(WHAT, body(WHAT, ENTRY_VERSION, bytes)?)
}

/// Encodes the whole map.
pub fn encode_snapshot(fleet: &Fleet) -> Vec<u8> {
    let mut bytes = encode(SNAPSHOT_VERSION, &snapshot::flatten(fleet));
    let checksum = xxhash_rust::xxh3::xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Decodes a whole map of any version ever written.
///
/// # Errors
/// [`Error`] when it is damaged, contradicts itself, or is from a later release.
pub fn decode_snapshot(bytes: &[u8]) -> Result<Fleet, Error> {
    const WHAT: &str = "snapshot";
    body(WHAT, SNAPSHOT_VERSION, bytes)?;
    let checked = checked(WHAT, bytes)?;
    snapshot::build(decode(WHAT, body(WHAT, SNAPSHOT_VERSION, checked)?)?)
}

/// Hash of everything replicated except the revision.
pub(crate) fn fingerprint(fleet: &Fleet) -> u128 {
    let mut flat = snapshot::flatten(fleet);
    flat.revision = crate::Revision(0);
    xxhash_rust::xxh3::xxh3_128(&encode(SNAPSHOT_VERSION, &flat))
}

fn encode<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    let mut bytes = vec![version];
    bincode::serialize_into(&mut bytes, value).expect("BUG: writing to memory cannot fail");
    bytes
}

/// What follows the version. The version is looked at first: nothing else of a later release can be trusted.
fn body<'a>(what: &'static str, known: u8, bytes: &'a [u8]) -> Result<&'a [u8], Error> {
    let (version, body) = bytes.split_first().ok_or(Error::Empty { what })?;
    if *version != known {
        return Err(Error::VersionUnknown { what, version: *version, known });
    }
    Ok(body)
}

/// What precedes the checksum, if it fits.
fn checked<'a>(what: &'static str, bytes: &'a [u8]) -> Result<&'a [u8], Error> {
    bytes
        .split_last_chunk::<CHECKSUM_BYTES>()
        .filter(|(content, checksum)| xxhash_rust::xxh3::xxh3_64(content) == u64::from_le_bytes(**checksum))
        .map(|(content, _)| content)
        .ok_or(Error::Checksum { what, bytes: bytes.len() })
}

fn decode<T: for<'de> Deserialize<'de>>(what: &'static str, body: &[u8]) -> Result<T, Error> {
    use bincode::Options;
    // The limit keeps a damaged length from allocating more than the bytes that are there could hold.
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_limit(body.len() as u64)
        .deserialize(body)
        .map_err(|source| Error::Damaged { what, source })
}
