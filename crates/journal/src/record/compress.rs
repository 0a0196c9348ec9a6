//! Compression of bodies and chunks. Bytes that do not get smaller are stored as they are.

use bytes::Bytes;

use super::Encoding;
use crate::damage::Damage;

/// Shorter ones are not worth a try.
const WORTH_IT: usize = 256;

/// Compresses `raw` if that saves at least an eighth.
pub(crate) fn pack(raw: Vec<u8>) -> (Encoding, Bytes) {
    if raw.len() >= WORTH_IT {
        let packed = lz4_flex::block::compress(&raw);
        if packed.len() < raw.len() - raw.len() / 8 {
            return (Encoding::Lz4, packed.into());
        }
    }
    (Encoding::Raw, raw.into())
}

/// Undoes [`pack`]; never makes more than `raw_len` bytes.
pub(crate) fn unpack(encoding: Encoding, packed: Bytes, raw_len: usize) -> Result<Bytes, Damage> {
    match encoding {
        Encoding::Raw if packed.len() == raw_len => Ok(packed),
        Encoding::Raw => Err(Damage::Nonsense("its uncompressed length is not its length")),
        Encoding::Lz4 => {
            let mut raw = vec![0; raw_len];
            match lz4_flex::block::decompress_into(&packed, &mut raw) {
                Ok(len) if len == raw_len => Ok(raw.into()),
                Ok(_) | Err(_) => Err(Damage::Nonsense("it does not decompress to the length that it names")),
            }
        }
    }
}
