use model::{DatabaseId, Epoch, FleetId, Incarnation, SessionId};

use super::*;
use crate::{Nonce, Outcome, RecordHash, Response, golden};

const PLACE: Place = Place { fleet: FleetId(0xf1ee7), database: DatabaseId(0x5107) };

fn at(number: u64) -> Position {
    Position::new(number).expect("in range")
}

fn state() -> State {
    let mut state = State {
        position: at(42),
        hash: RecordHash(0x1234),
        epoch: Epoch(7),
        writer: Nonce { process: Incarnation(0xabcd), opening: 3 },
        sealed: true,
        at: TimestampMs(1_700_000_000_123),
        transactions: 1001,
        page_size: 512,
        image_pages: 3,
        fences: vec![KeptFence { position: at(9), at: TimestampMs(1_600_000_000_000) }],
        ..State::default()
    };
    let response = Response::Kept(Bytes::from_static(b"INSERT 0 1"));
    state.outcomes.apply(at(41), &[Outcome { session: SessionId(0xfeed), number: 11, response }]);
    state
}

/// A whole snapshot, and where its chunks begin.
fn object() -> (Bytes, u64) {
    let (chunk, packed) = Chunk::pack(vec![5; 3 * 512]);
    let head = Head::encode(&state(), PLACE, &[chunk]);
    let head_len = head.len() as u64;
    ([head, packed].concat().into(), head_len)
}

fn decode(bytes: &Bytes) -> Result<Snapshot, Damage> {
    let snapshot = Head::decode(bytes, PLACE, at(42), bytes.len() as u64)?;
    for (range, _, chunk) in snapshot.places() {
        chunk.unpack(bytes.slice(range.start as usize..range.end as usize))?;
    }
    Ok(snapshot)
}

#[test]
fn snapshots_shipped_so_far_still_decode() {
    let (bytes, head_len) = object();
    let golden = golden::check("snapshot", &bytes);
    let snapshot = decode(&golden).expect("decodes");
    assert_eq!((snapshot.state, snapshot.chunks_at), (state(), head_len));
    let snapshot = decode(&golden).expect("decodes");
    assert_eq!(snapshot.whole.as_ref(), Some(&golden), "it is small");
    let (range, offset, chunk) = snapshot.places().next().expect("one chunk");
    assert_eq!((offset, range.end), (0, golden.len() as u64));
    let raw = chunk.unpack(golden.slice(range.start as usize..)).expect("unpacks");
    assert_eq!(raw, vec![5; 3 * 512]);
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_snapshot_is_found() {
    let (good, _) = object();
    decode(&good).expect("undamaged");
    for bit in 0..good.len() * 8 {
        let mut bytes = good.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&bytes.into()).is_err(), "bit {bit}");
    }
    for len in 0..good.len() {
        assert!(decode(&good.slice(..len)).is_err(), "cut to {len} bytes");
    }
    assert!(decode(&[&good[..], b"\0"].concat().into()).is_err(), "a byte too many");
}

#[test]
fn chunks_that_do_not_make_up_the_image_are_refused() {
    let chunk = |len: usize| Chunk::pack(vec![5; len]).0;
    for chunks in [vec![], vec![chunk(512)], vec![chunk(512), chunk(1024)], vec![chunk(3 * 512), chunk(1)]] {
        let head = Head::encode(&state(), PLACE, &chunks);
        let size = head.len() as u64 + chunks.iter().map(|c| u64::from(c.packed_len)).sum::<u64>();
        let error = Head::decode(&head, PLACE, at(42), size).expect_err("refused");
        assert!(matches!(error, Damage::Nonsense(_)), "{error:?}");
    }
}

#[test]
fn an_empty_image_has_a_snapshot_without_chunks() {
    let state = State { page_size: 0, image_pages: 0, ..state() };
    let head = Head::encode(&state, PLACE, &[]);
    let snapshot = Head::decode(&head, PLACE, at(42), head.len() as u64).expect("decodes");
    assert_eq!((snapshot.state, snapshot.chunks.len()), (state, 0));
}
