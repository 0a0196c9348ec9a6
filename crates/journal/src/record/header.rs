//! The 128 bytes that begin every object of a journal.
//!
//! ```text
//!   0 magic "SMSG"      4 format u16      6 kind u8         7 encoding u8
//!   8 fleet u128       24 database u64   32 epoch u64      40 position u64
//!  48 nonce: process u64, opening u64    64 hash of the record before u128
//!  80 time u64 (ms)    88 first transaction u64            96 transactions u32
//! 100 page size u32   104 pages of the image u32          108 pages in the body u32
//! 112 outcomes u32    116 raw length u32 120 body length u32  124 CRC-32 of bytes 0..124
//! ```

use bytes::{Buf, BufMut, Bytes};
use model::{DatabaseId, Epoch, FleetId, Incarnation, TimestampMs};

use super::{Place, TRAILER_LEN};
use crate::{
    Nonce, Position, RecordHash,
    damage::Damage,
    limits::{IMAGE_MAX, PAGE_SIZE_MAX, PAGE_SIZE_MIN},
};

const MAGIC: &[u8; 4] = b"SMSG";
const FORMAT: u16 = 1;
pub(crate) const HEADER_LEN: usize = 128;
const CRC_AT: usize = HEADER_LEN - 4;

/// What an object of a journal is. The numbers are in the store for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Pages and outcomes of committed transactions.
    Data = 1,
    /// A new owner begins: nothing of an older one can follow.
    Fence = 2,
    /// Its owner promises to write nothing more.
    Seal = 3,
    /// The database was dropped.
    Drop = 4,
    /// The log begins as a copy of another database's.
    Base = 5,
    /// A snapshot: the image with all records up to its position.
    Snapshot = 6,
    /// Stands for ever where a dropped database's snapshot would.
    Tombstone = 7,
    /// Keeps what is needed to load a position.
    Pin = 8,
}

impl Kind {
    fn from_number(number: u8) -> Result<Self, Damage> {
        Ok(match number {
            1 => Self::Data,
            2 => Self::Fence,
            3 => Self::Seal,
            4 => Self::Drop,
            5 => Self::Base,
            6 => Self::Snapshot,
            7 => Self::Tombstone,
            8 => Self::Pin,
            0 | 9.. => return Err(Damage::Unknown { what: "kind", number: number.into() }),
        })
    }
}

/// How bytes are compressed. The numbers are in the store for ever; 2 is reserved for zstd, 3 for page deltas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// As they are.
    Raw = 0,
    /// One LZ4 block.
    Lz4 = 1,
}

impl Encoding {
    pub(crate) fn from_number(number: u8) -> Result<Self, Damage> {
        match number {
            0 => Ok(Self::Raw),
            1 => Ok(Self::Lz4),
            2.. => Err(Damage::Unknown { what: "encoding", number: number.into() }),
        }
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What follows.
    pub kind: Kind,
    /// How the body is compressed.
    pub encoding: Encoding,
    /// Whose store.
    pub fleet: FleetId,
    /// Whose journal.
    pub database: DatabaseId,
    /// The owner that wrote it.
    pub epoch: Epoch,
    /// Where it stands; of a snapshot, the last position that it includes.
    pub position: Position,
    /// Who wrote it.
    pub nonce: Nonce,
    /// Hash of the record before; of a snapshot, of the record at its position.
    pub previous: RecordHash,
    /// When, by the owner's clock. Information: nothing but restoring to a time depends on it.
    pub at: TimestampMs,
    /// Number of the first transaction in it, counted over the whole log from 1.
    pub first_transaction: u64,
    /// Transactions in it.
    pub transactions: u32,
    /// Bytes of a page; 0 as long as the image is empty.
    pub page_size: u32,
    /// Pages of the image after it.
    pub image_pages: u32,
    /// Pages in the body.
    pub page_count: u32,
    /// Outcomes in the body.
    pub outcome_count: u32,
    /// Bytes of the body before compression.
    pub raw_len: u32,
    /// Bytes of the body.
    pub body_len: u32,
}

impl Header {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.put_slice(MAGIC);
        out.put_u16_le(FORMAT);
        out.put_u8(self.kind as u8);
        out.put_u8(self.encoding as u8);
        out.put_u128_le(self.fleet.0);
        out.put_u64_le(self.database.0);
        out.put_u64_le(self.epoch.0);
        out.put_u64_le(self.position.get());
        out.put_u64_le(self.nonce.process.0);
        out.put_u64_le(self.nonce.opening);
        out.put_u128_le(self.previous.0);
        out.put_u64_le(self.at.0);
        out.put_u64_le(self.first_transaction);
        for number in [
            self.transactions,
            self.page_size,
            self.image_pages,
            self.page_count,
            self.outcome_count,
            self.raw_len,
            self.body_len,
        ] {
            out.put_u32_le(number);
        }
        out.put_u32_le(crc32fast::hash(&out));
        out
    }

    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, Damage> {
        if bytes.len() < HEADER_LEN || bytes[..4] != MAGIC[..] {
            return Err(Damage::NotOurs);
        }
        let mut from = &bytes[CRC_AT..HEADER_LEN];
        if from.get_u32_le() != crc32fast::hash(&bytes[..CRC_AT]) {
            return Err(Damage::Header);
        }
        let from = &mut &bytes[4..CRC_AT];
        let format = from.get_u16_le();
        if format != FORMAT {
            return Err(Damage::Unknown { what: "format", number: format });
        }
        let header = Self {
            kind: Kind::from_number(from.get_u8())?,
            encoding: Encoding::from_number(from.get_u8())?,
            fleet: FleetId(from.get_u128_le()),
            database: DatabaseId(from.get_u64_le()),
            epoch: Epoch(from.get_u64_le()),
            position: Position::new(from.get_u64_le())
                .ok_or(Damage::Nonsense("its position is past any log"))?,
            nonce: Nonce { process: Incarnation(from.get_u64_le()), opening: from.get_u64_le() },
            previous: RecordHash(from.get_u128_le()),
            at: TimestampMs(from.get_u64_le()),
            first_transaction: from.get_u64_le(),
            transactions: from.get_u32_le(),
            page_size: from.get_u32_le(),
            image_pages: from.get_u32_le(),
            page_count: from.get_u32_le(),
            outcome_count: from.get_u32_le(),
            raw_len: from.get_u32_le(),
            body_len: from.get_u32_le(),
        };
        header.check_image()?;
        Ok(header)
    }

    fn check_image(&self) -> Result<(), Damage> {
        let empty = self.page_size == 0 && self.image_pages == 0;
        if !empty && !is_page_size(self.page_size) {
            return Err(Damage::Nonsense("its page size is no power of two from 512 to 65536"));
        }
        if self.image_len() > IMAGE_MAX {
            return Err(Damage::Nonsense("its image is larger than any database"));
        }
        Ok(())
    }

    /// Bytes of the image after it.
    pub fn image_len(&self) -> u64 {
        u64::from(self.page_size) * u64::from(self.image_pages)
    }

    pub(crate) fn check_place(&self, place: Place, position: Position) -> Result<(), Damage> {
        if (self.fleet, self.database, self.position) == (place.fleet, place.database, position) {
            return Ok(());
        }
        Err(Damage::Foreign { fleet: self.fleet, database: self.database, position: self.position })
    }

    /// Whether a record with this header is `found` bytes long.
    pub(crate) fn check_length(&self, found: u64) -> Result<(), Damage> {
        let expected = HEADER_LEN as u64 + u64::from(self.body_len) + TRAILER_LEN as u64;
        if found == expected { Ok(()) } else { Err(Damage::Length { found, expected }) }
    }
}

/// Whether an image may have pages of so many bytes.
pub(crate) fn is_page_size(bytes: u32) -> bool {
    bytes.is_power_of_two() && (PAGE_SIZE_MIN..=PAGE_SIZE_MAX).contains(&bytes)
}
