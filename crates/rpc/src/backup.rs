//! A copy of the whole map, sent in pieces because it may be larger than a message.
//!
//! The first call makes the copy, of one revision; the next ones, with the ticket that it answered, read it. A copy that
//! nobody reads is forgotten after a while.

use model::Digest;
use serde::{Deserialize, Serialize};

/// Which piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRequest {
    /// The copy to read on; without one a new copy is made.
    pub ticket: Option<u64>,
    /// Where the piece begins, in bytes.
    pub offset: u64,
}

/// A piece of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPiece {
    /// Names the copy.
    pub ticket: u64,
    /// Bytes of the whole copy.
    pub total: u64,
    /// The fingerprint of the map that it is a copy of, and its revision.
    pub digest: Digest,
    /// The bytes from the offset asked for on. None at the end.
    pub bytes: Vec<u8>,
}
