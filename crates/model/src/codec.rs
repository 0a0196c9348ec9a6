//! The bytes of log entries and snapshots.
//!
//! bincode does not describe itself, so every value starts with a version byte, and golden-byte tests keep every
//! version that was ever written readable. This is the only place that knows about bincode in this crate.

use serde::{Deserialize, Serialize};

use crate::{
    Database, DatabaseId, Entry, Epoch, Fleet, FleetId, Handler, HandlerId, IdempotencyKey, Name, Revision,
    Server, ServerId, User,
};

/// The version of log entries that is written.
const ENTRY_VERSION: u8 = 1;
/// The version of snapshots that is written.
const SNAPSHOT_VERSION: u8 = 1;

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

/// A map as it stands in a snapshot: plain lists, so that the encoding does not depend on any map type.
#[derive(Serialize, Deserialize)]
struct SnapshotV1 {
    id: Option<FleetId>,
    revision: Revision,
    database_last: u64,
    databases: Vec<(DatabaseId, Database)>,
    dropped: Vec<(DatabaseId, Epoch)>,
    servers: Vec<(ServerId, Server)>,
    handlers: Vec<(HandlerId, Handler)>,
    users: Vec<(Name, User)>,
    keys: Vec<(IdempotencyKey, DatabaseId)>,
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
    decode("log entry", ENTRY_VERSION, bytes)
}

/// Encodes the whole map.
pub fn encode_snapshot(fleet: &Fleet) -> Vec<u8> {
    encode(SNAPSHOT_VERSION, &flatten(fleet))
}

/// Decodes a whole map of any version ever written.
///
/// # Errors
/// [`Error`] when it is damaged, contradicts itself, or is from a later release.
pub fn decode_snapshot(bytes: &[u8]) -> Result<Fleet, Error> {
    build(decode("snapshot", SNAPSHOT_VERSION, bytes)?)
}

/// Hash of everything replicated except the revision.
pub(crate) fn fingerprint(fleet: &Fleet) -> u128 {
    let flat = SnapshotV1 { revision: Revision(0), ..flatten(fleet) };
    xxhash_rust::xxh3::xxh3_128(&encode(SNAPSHOT_VERSION, &flat))
}

fn encode<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    let mut bytes = vec![version];
    bincode::serialize_into(&mut bytes, value).expect("BUG: writing to memory cannot fail");
    bytes
}

fn decode<T: for<'de> Deserialize<'de>>(what: &'static str, known: u8, bytes: &[u8]) -> Result<T, Error> {
    use bincode::Options;
    let (version, body) = bytes.split_first().ok_or(Error::Empty { what })?;
    if *version != known {
        return Err(Error::VersionUnknown { what, version: *version, known });
    }
    // The limit keeps a damaged length from allocating more than the bytes that are there could hold.
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .with_limit(body.len() as u64)
        .deserialize(body)
        .map_err(|source| Error::Damaged { what, source })
}

fn flatten(fleet: &Fleet) -> SnapshotV1 {
    SnapshotV1 {
        id: fleet.id,
        revision: fleet.revision,
        database_last: fleet.database_last,
        databases: fleet.databases.iter().map(|(id, database)| (*id, database.clone())).collect(),
        dropped: fleet.dropped().collect(),
        servers: fleet.servers.clone().into_iter().collect(),
        handlers: fleet.handlers.clone().into_iter().collect(),
        users: fleet.users.clone().into_iter().collect(),
        keys: fleet.keys_in_order.iter().map(|key| (*key, fleet.keys[key])).collect(),
    }
}

fn build(flat: SnapshotV1) -> Result<Fleet, Error> {
    let mut fleet = Fleet {
        id: flat.id,
        revision: flat.revision,
        recent_since: flat.revision,
        database_last: flat.database_last,
        dropped: flat.dropped.into_iter().collect(),
        servers: flat.servers.into_iter().collect(),
        handlers: flat.handlers.into_iter().collect(),
        users: flat.users.into_iter().collect(),
        keys_in_order: flat.keys.iter().map(|(key, _)| *key).collect(),
        keys: flat.keys.into_iter().collect(),
        ..Fleet::default()
    };
    for (id, database) in flat.databases {
        if id.0 > fleet.database_last {
            return Err(Error::Contradiction { reason: format!("{id} was never given") });
        }
        if let Some(other) = fleet.names.insert(database.name.clone(), id) {
            return Err(Error::Contradiction {
                reason: format!("{other} and {id} are both named {}", database.name),
            });
        }
        fleet.databases.insert(id, database);
    }
    Ok(fleet)
}
