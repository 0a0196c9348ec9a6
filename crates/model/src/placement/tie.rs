//! Which of several equally good servers a database goes to: rendezvous hashing, so that every leader makes the same choice
//! and no server is everybody's second.

use crate::{DatabaseId, ServerId};

/// The larger one wins.
pub(super) fn tie(database: DatabaseId, server: ServerId) -> u64 {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&database.0.to_be_bytes());
    key[8..].copy_from_slice(&server.0.to_be_bytes());
    xxhash_rust::xxh3::xxh3_64(&key)
}
