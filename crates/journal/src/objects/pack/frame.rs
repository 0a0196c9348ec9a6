//! What a pack's file is made of.
//!
//! ```text
//! file     its magic u128 and the CRC-32 of that, twice: 40 bytes; then frames
//! frame     0 the file's magic u128      16 kind u8, zeros      20 length of the body u32
//!          24 position u64               32 token u64           40 xxh3-64 of the body
//!          48 CRC-32 of bytes 0..48      52 the body
//! ```
//! All numbers are little endian. The magic is random for each file, and no data that anybody stores can know it: so
//! the next frame behind one that is torn can be found.

use bytes::{Buf, BufMut};
use xxhash_rust::xxh3::xxh3_64;

use crate::Position;

/// Bytes before the first frame.
pub(super) const FILE_HEADER: usize = 40;
/// Bytes of a frame before its body.
pub(super) const FRAME_HEADER: usize = 52;
const CRC_AT: usize = FRAME_HEADER - 4;

/// What begins every frame of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Magic(u128);

/// What a frame says. The numbers are in the files for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// The body is the object at the position, unless something stands there already.
    Object = 1,
    /// The body is a list of positions where nothing stands any more.
    Deleted = 2,
    /// The body names the frame that stands at the position, and that is durable: if it cannot be read, it is damaged.
    Settled = 3,
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// Of an object or what is said of one; 0 with [`Kind::Deleted`].
    pub(super) position: u64,
    /// Random: tells a writer its own frame.
    pub(super) token: u64,
    pub(super) body_len: u32,
    body_hash: u64,
}

/// Where the body of an object's frame lies, as [`Kind::Settled`] says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) len: u32,
}

impl Magic {
    pub(super) fn random() -> Self {
        Self(rand::random())
    }

    /// The beginning of a new file.
    pub(super) fn file_header(self) -> Vec<u8> {
        let mut copy = self.0.to_le_bytes().to_vec();
        copy.put_u32_le(crc32fast::hash(&copy));
        [copy.clone(), copy].concat()
    }

    /// The magic of a file that begins so; nothing if both copies are damaged.
    pub(super) fn of_file(header: &[u8]) -> Option<Self> {
        header.chunks_exact(FILE_HEADER / 2).find_map(|copy| {
            let (mut magic, mut crc) = copy.split_at(16);
            (crc32fast::hash(magic) == crc.get_u32_le()).then(|| Self(magic.get_u128_le()))
        })
    }

    /// Where these bytes first hold the magic.
    pub(super) fn find(self, bytes: &[u8]) -> Option<usize> {
        let magic = self.0.to_le_bytes();
        bytes.windows(magic.len()).position(|window| window == magic)
    }
}

impl Frame {
    /// A frame's bytes.
    pub(super) fn encode<B: AsRef<[u8]>>(
        kind: Kind,
        magic: Magic,
        position: u64,
        token: u64,
        body: &[B],
    ) -> Vec<u8> {
        let len: usize = body.iter().map(|part| part.as_ref().len()).sum();
        let mut out = vec![0; FRAME_HEADER];
        out.reserve_exact(len);
        body.iter().for_each(|part| out.extend_from_slice(part.as_ref()));
        let hash = xxh3_64(&out[FRAME_HEADER..]);
        let mut head = &mut out[..];
        head.put_u128_le(magic.0);
        head.put_u32_le(kind as u32);
        head.put_u32_le(u32::try_from(len).expect("BUG: an object is smaller than 4 GiB"));
        head.put_u64_le(position);
        head.put_u64_le(token);
        head.put_u64_le(hash);
        let crc = crc32fast::hash(&out[..CRC_AT]);
        out[CRC_AT..FRAME_HEADER].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// The header at the beginning of `bytes`, if one is there.
    pub(super) fn decode(bytes: &[u8], magic: Magic) -> Option<Self> {
        let header = bytes.get(..FRAME_HEADER)?;
        let (mut fields, mut crc) = header.split_at(CRC_AT);
        if fields.get_u128_le() != magic.0 || crc32fast::hash(&header[..CRC_AT]) != crc.get_u32_le() {
            return None;
        }
        let kind = match fields.get_u32_le() {
            1 => Kind::Object,
            2 => Kind::Deleted,
            3 => Kind::Settled,
            _ => return None,
        };
        let body_len = fields.get_u32_le();
        let (position, token, body_hash) = (fields.get_u64_le(), fields.get_u64_le(), fields.get_u64_le());
        Some(Self { kind, position, token, body_len, body_hash })
    }

    /// Bytes of header and body.
    pub(super) fn len(&self) -> u64 {
        FRAME_HEADER as u64 + u64::from(self.body_len)
    }

    pub(super) fn has(&self, body: &[u8]) -> bool {
        body.len() == self.body_len as usize && xxh3_64(body) == self.body_hash
    }
}

impl Place {
    pub(super) fn encode(self) -> Vec<u8> {
        [&self.offset.to_le_bytes()[..], &self.len.to_le_bytes()].concat()
    }

    pub(super) fn decode(mut body: &[u8]) -> Option<Self> {
        (body.len() == 12).then(|| Self { offset: body.get_u64_le(), len: body.get_u32_le() })
    }
}

/// The body of a [`Kind::Deleted`].
pub(super) fn encode_positions(positions: &[Position]) -> Vec<u8> {
    positions.iter().flat_map(|position| position.get().to_le_bytes()).collect()
}

pub(super) fn decode_positions(body: &[u8]) -> impl Iterator<Item = u64> {
    body.chunks_exact(8).map(|mut bytes| bytes.get_u64_le())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored for ever: a file with these bytes must go on being readable.
    #[test]
    fn the_bytes_of_a_file_stay_as_they_are() {
        let magic = Magic(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let copy = "100f0e0d0c0b0a090807060504030201b35de78f";
        assert_eq!(hex(&magic.file_header()), [copy, copy].concat());
        let frame = Frame::encode(Kind::Object, magic, 7, 9, &[b"ab", &b"c"[..]]);
        let header = "100f0e0d0c0b0a09080706050403020101000000030000000700000000000000090000000000000050392f89945faf78";
        assert_eq!(hex(&frame), header.to_owned() + "cd50416d" + "616263");
        let settled = Frame::encode(Kind::Settled, magic, 7, 9, &[Place { offset: 92, len: 3 }.encode()]);
        assert_eq!(hex(&settled[FRAME_HEADER..]), "5c0000000000000003000000");
        let positions = [5, 6].map(|at| Position::new(at).expect("a position"));
        let deleted = Frame::encode(Kind::Deleted, magic, 0, 9, &[encode_positions(&positions)]);
        assert_eq!(hex(&deleted[FRAME_HEADER..]), "05000000000000000600000000000000");
    }

    #[test]
    fn every_flipped_bit_of_a_frame_is_noticed() {
        let magic = Magic::random();
        let good = Frame::encode(Kind::Object, magic, 7, 9, &[b"some bytes"]);
        let whole =
            |bytes: &[u8]| Frame::decode(bytes, magic).is_some_and(|frame| frame.has(&bytes[FRAME_HEADER..]));
        assert!(whole(&good));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!whole(&bad), "bit {bit}");
        }
    }

    #[test]
    fn a_file_is_known_by_either_copy_of_its_magic() {
        let magic = Magic::random();
        let good = magic.file_header();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Magic::of_file(&bad), Some(magic), "bit {bit}");
        }
        assert_eq!(Magic::of_file(&[1; FILE_HEADER]), None);
        assert_eq!(Magic::of_file(&[]), None);
    }
}
