//! The codec of a snapshot's head: all of it but its chunks.

use bytes::{Buf, BufMut, Bytes, TryGetError};
use model::TimestampMs;
use xxhash_rust::xxh3::xxh3_128;

use super::Snapshot;
use crate::{
    Position, State,
    damage::Damage,
    limits::{SNAPSHOT_CHUNK, SNAPSHOT_META_MAX},
    outcomes::{BadOutcome, OutcomeTable},
    record::{Encoding, HEADER_LEN, Header, Kind, Place, TRAILER_LEN, pack, unpack},
    state::KeptFence,
};

/// One chunk as the index describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    pub(crate) packed_len: u32,
    pub(crate) raw_len: u32,
    pub(crate) encoding: Encoding,
    pub(crate) hash: u128,
}

impl Chunk {
    pub(crate) fn pack(raw: Vec<u8>) -> (Self, Bytes) {
        let raw_len = raw.len() as u32;
        let (encoding, packed) = pack(raw);
        let hash = xxh3_128(&packed);
        (Self { packed_len: packed.len() as u32, raw_len, encoding, hash }, packed)
    }

    /// Checks and unpacks the chunk's bytes.
    pub(crate) fn unpack(&self, packed: Bytes) -> Result<Bytes, Damage> {
        if packed.len() != self.packed_len as usize {
            return Err(Damage::Length { found: packed.len() as u64, expected: self.packed_len.into() });
        }
        if xxh3_128(&packed) != self.hash {
            return Err(Damage::Content);
        }
        unpack(self.encoding, packed, self.raw_len as usize)
    }
}

/// The beginning of a snapshot.
pub(crate) struct Head;

impl Head {
    /// The head of the snapshot of `state` with these chunks.
    pub(crate) fn encode(state: &State, place: Place, chunks: &[Chunk]) -> Bytes {
        let meta = encode_meta(state, chunks);
        let raw_len = meta.len() as u32;
        let (encoding, packed) = pack(meta);
        let header = Header {
            kind: Kind::Snapshot,
            encoding,
            fleet: place.fleet,
            database: place.database,
            epoch: state.epoch,
            position: state.position,
            nonce: state.writer,
            previous: state.hash,
            at: state.at,
            first_transaction: 0,
            transactions: 0,
            page_size: state.page_size,
            image_pages: state.image_pages,
            page_count: 0,
            outcome_count: 0,
            raw_len,
            body_len: packed.len() as u32,
        };
        let mut out = header.encode();
        out.put_slice(&packed);
        let hash = xxh3_128(&out);
        out.put_u128_le(hash);
        out.into()
    }

    /// How many bytes of the object the head takes, from at least its first [`HEADER_LEN`].
    pub(crate) fn len(prefix: &Bytes, place: Place, position: Position) -> Result<u64, Damage> {
        let header = Header::decode(prefix)?;
        header.check_place(place, position)?;
        if header.kind != Kind::Snapshot {
            return Err(Damage::Nonsense("it is not a snapshot"));
        }
        Ok((HEADER_LEN + header.body_len as usize + TRAILER_LEN) as u64)
    }

    /// Decodes a head out of the object's beginning, and checks that the object is `size` bytes long.
    pub(crate) fn decode(
        prefix: &Bytes,
        place: Place,
        position: Position,
        size: u64,
    ) -> Result<Snapshot, Damage> {
        let head_len = Self::len(prefix, place, position)?;
        if (prefix.len() as u64) < head_len {
            return Err(Damage::Length { found: prefix.len() as u64, expected: head_len });
        }
        let header = Header::decode(prefix)?;
        let head = prefix.slice(..head_len as usize);
        let (content, trailer) = head.split_at(head.len() - TRAILER_LEN);
        if trailer != xxh3_128(content).to_le_bytes() {
            return Err(Damage::Content);
        }
        if header.raw_len as usize > SNAPSHOT_META_MAX {
            return Err(Damage::Nonsense("its description is larger than any snapshot's"));
        }
        let packed = head.slice(HEADER_LEN..head.len() - TRAILER_LEN);
        let meta = unpack(header.encoding, packed, header.raw_len as usize)?;
        let (state, chunks) = decode_meta(&header, meta)?;
        let whole = (prefix.len() as u64 == size).then(|| prefix.clone());
        let snapshot = Snapshot { state, chunks, chunks_at: head_len, whole };
        snapshot.check(&header, size)?;
        Ok(snapshot)
    }
}

impl Snapshot {
    fn check(&self, header: &Header, size: u64) -> Result<(), Damage> {
        let lens = self.chunks.iter().map(|c| u64::from(c.raw_len));
        let full = self.chunks.iter().rev().skip(1).all(|c| c.raw_len as usize == SNAPSHOT_CHUNK);
        let last = self.chunks.last().is_none_or(|c| (1..=SNAPSHOT_CHUNK).contains(&(c.raw_len as usize)));
        if !full || !last || lens.sum::<u64>() != header.image_len() {
            return Err(Damage::Nonsense("its chunks do not make up its image"));
        }
        if self.size() != size {
            return Err(Damage::Length { found: size, expected: self.size() });
        }
        Ok(())
    }
}

fn encode_meta(state: &State, chunks: &[Chunk]) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_u64_le(state.transactions);
    out.put_u8(state.sealed.into());
    out.put_u32_le(state.fences.len() as u32);
    for fence in &state.fences {
        out.put_u64_le(fence.position.get());
        out.put_u64_le(fence.at.0);
    }
    state.outcomes.encode(&mut out);
    out.put_u32_le(chunks.len() as u32);
    for chunk in chunks {
        out.put_u32_le(chunk.packed_len);
        out.put_u32_le(chunk.raw_len);
        out.put_u8(chunk.encoding as u8);
        out.put_u128_le(chunk.hash);
    }
    out
}

fn decode_meta(header: &Header, mut meta: Bytes) -> Result<(State, Vec<Chunk>), Damage> {
    let malformed = |_: BadOutcome| Damage::Nonsense("its description is malformed");
    let transactions = meta.try_get_u64_le().map_err(BadOutcome::from).map_err(malformed)?;
    let sealed = match meta.try_get_u8().map_err(BadOutcome::from).map_err(malformed)? {
        0 => false,
        1 => true,
        2.. => return Err(malformed(BadOutcome)),
    };
    let fences = decode_fences(&mut meta).map_err(malformed)?;
    let outcomes = OutcomeTable::decode(&mut meta).map_err(malformed)?;
    let chunks = decode_chunks(&mut meta)?;
    if !meta.is_empty() {
        return Err(malformed(BadOutcome));
    }
    let state = State {
        position: header.position,
        hash: header.previous,
        epoch: header.epoch,
        writer: header.nonce,
        sealed,
        dropped: false,
        at: header.at,
        transactions,
        page_size: header.page_size,
        image_pages: header.image_pages,
        outcomes,
        fences,
    };
    Ok((state, chunks))
}

fn decode_fences(meta: &mut Bytes) -> Result<Vec<KeptFence>, BadOutcome> {
    (0..meta.try_get_u32_le()?)
        .map(|_| {
            let position = Position::new(meta.try_get_u64_le()?).ok_or(BadOutcome)?;
            Ok(KeptFence { position, at: TimestampMs(meta.try_get_u64_le()?) })
        })
        .collect()
}

fn decode_chunks(meta: &mut Bytes) -> Result<Vec<Chunk>, Damage> {
    let malformed = |_: TryGetError| Damage::Nonsense("its index is malformed");
    let count = meta.try_get_u32_le().map_err(malformed)?;
    (0..count)
        .map(|_| {
            Ok(Chunk {
                packed_len: meta.try_get_u32_le().map_err(malformed)?,
                raw_len: meta.try_get_u32_le().map_err(malformed)?,
                encoding: Encoding::from_number(meta.try_get_u8().map_err(malformed)?)?,
                hash: meta.try_get_u128_le().map_err(malformed)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
