//! A snapshot: the image with all records up to a position, and everything else that replay would have built.
//!
//! ```text
//! header       as a record's; its position is the last that the snapshot includes, `previous` that record's hash
//! description  transactions, seal, kept fences, outcomes, index of chunks; compressed if that makes it smaller
//! trailer      16 bytes: xxh3-128 of all bytes before it
//! chunks       1 MiB of the image each, compressed one by one; the index has the xxh3-128 of each
//! ```
//! Its content is a function of the log, so it does not matter who wrote it, nor whether somebody else had.

mod head;
mod take;

use std::ops::Range;

use bytes::Bytes;

pub(crate) use head::{Chunk, Head};
pub use take::{PackedSnapshot, SnapshotDraft, SnapshotError, Taken};

use crate::{State, limits::SNAPSHOT_CHUNK};

/// A snapshot in a store, of which the description was read and checked.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// What the log says at its position.
    pub(crate) state: State,
    pub(crate) chunks: Vec<Chunk>,
    /// Where the first chunk begins.
    pub(crate) chunks_at: u64,
    /// All of it, if it is so small that reading its description read the rest, too.
    pub(crate) whole: Option<Bytes>,
}

impl Snapshot {
    /// Its length in the store.
    pub(crate) fn size(&self) -> u64 {
        self.chunks_at + self.chunks.iter().map(|c| u64::from(c.packed_len)).sum::<u64>()
    }

    /// Where each chunk stands in the object, and where its bytes belong in the image.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Range<u64>, u64, Chunk)> + use<> {
        let mut from = self.chunks_at;
        self.chunks.clone().into_iter().enumerate().map(move |(number, chunk)| {
            let range = from..from + u64::from(chunk.packed_len);
            from = range.end;
            (range, number as u64 * SNAPSHOT_CHUNK as u64, chunk)
        })
    }
}
