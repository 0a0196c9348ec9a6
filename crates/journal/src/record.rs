//! A record of the log: its content and its bytes.
//!
//! ```text
//! header   128 bytes, see `header`; its own CRC-32 at its end
//! body     page numbers u32 × pages, outcomes, pages; compressed if that makes it smaller
//! trailer  16 bytes: xxh3-128 of all bytes before it, which the next record names
//! ```
//! All numbers are little endian. Decoding allocates nothing that the checksums have not vouched for.

mod body;
mod compress;
mod header;

use bytes::Bytes;
use model::{DatabaseId, FleetId};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

pub use body::Base;
pub(crate) use body::Body;
pub(crate) use compress::{pack, unpack};
pub use header::{Encoding, Header, Kind};
pub(crate) use header::{HEADER_LEN, is_page_size};

use crate::{Outcome, Position, RecordHash, damage::Damage, limits::RECORD_RAW_MAX};

/// Bytes of the trailer.
pub(crate) const TRAILER_LEN: usize = 16;

/// One record, decoded and checked by itself; whether it follows the one before it is [`crate::State`]'s to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What its header says.
    pub header: Header,
    /// The requests that its transactions answer.
    pub outcomes: Vec<Outcome>,
    /// Newest content of every page that its transactions changed, by rising page number from 1.
    pub pages: Vec<(u32, Bytes)>,
    /// Only of a base record: the parent.
    pub base: Option<Base>,
    /// What the next record must name.
    pub hash: RecordHash,
    /// Bytes that it takes in the store.
    pub size: u64,
}

/// Whose journal an object must be from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) fleet: FleetId,
    pub(crate) database: DatabaseId,
}

/// The bytes of a record, ready to be put.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    pub(crate) header: Header,
    pub(crate) parts: Vec<Bytes>,
    pub(crate) hash: RecordHash,
}

impl Encoded {
    /// Gives `header` its lengths and makes the record's bytes.
    pub(crate) fn new(mut header: Header, body: &Body<'_>) -> Self {
        let raw = body.encode();
        debug_assert!(raw.len() <= RECORD_RAW_MAX, "BUG: the writer refuses larger groups");
        let raw_len = raw.len() as u32;
        let (encoding, packed) = pack(raw);
        header.encoding = encoding;
        header.raw_len = raw_len;
        header.body_len = packed.len() as u32;
        header.page_count = body.pages.len() as u32;
        header.outcome_count = body.outcomes.len() as u32;
        let head = header.encode();
        let mut hasher = Xxh3::new();
        hasher.update(&head);
        hasher.update(&packed);
        let hash = RecordHash(hasher.digest128());
        let parts = vec![Bytes::from(head), packed, Bytes::copy_from_slice(&hash.0.to_le_bytes())];
        Self { header, parts, hash }
    }

    /// Bytes that it takes in the store.
    pub(crate) fn size(&self) -> u64 {
        self.parts.iter().map(|p| p.len() as u64).sum()
    }

    /// Whether `bytes` are exactly this record.
    pub(crate) fn is(&self, bytes: &Bytes) -> bool {
        let mut rest: &[u8] = bytes;
        for part in &self.parts {
            match rest.strip_prefix(&part[..]) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }
}

impl Record {
    /// Decodes the object at `position` of a log and checks everything in it.
    pub(crate) fn decode(bytes: &Bytes, place: Place, position: Position) -> Result<Self, Damage> {
        let header = Header::decode(bytes)?;
        header.check_place(place, position)?;
        let hash = check_trailer(&header, bytes)?;
        if header.raw_len as usize > RECORD_RAW_MAX {
            return Err(Damage::Nonsense("its body is larger than any record's"));
        }
        let packed = bytes.slice(HEADER_LEN..bytes.len() - TRAILER_LEN);
        let raw = unpack(header.encoding, packed, header.raw_len as usize)?;
        let body::Found { outcomes, pages, base } = body::decode(&header, raw)?;
        Ok(Self { header, outcomes, pages, base, hash, size: bytes.len() as u64 })
    }

    /// Decodes an object that is a header and nothing else.
    pub(crate) fn decode_bare(bytes: &Bytes, place: Place, kind: Kind) -> Result<Header, Damage> {
        let header = Header::decode(bytes)?;
        header.check_place(place, header.position)?;
        check_trailer(&header, bytes)?;
        if header.kind != kind || header.body_len != 0 {
            return Err(Damage::Nonsense("it is of another kind than its name says"));
        }
        Ok(header)
    }
}

/// Checks an object's length and trailer, and gives its hash.
fn check_trailer(header: &Header, bytes: &Bytes) -> Result<RecordHash, Damage> {
    header.check_length(bytes.len() as u64)?;
    let (content, trailer) = bytes.split_at(bytes.len() - TRAILER_LEN);
    let hash = xxh3_128(content);
    if trailer == hash.to_le_bytes() { Ok(RecordHash(hash)) } else { Err(Damage::Content) }
}

#[cfg(test)]
mod tests;
