use bytes::{BufMut, Bytes};
use model::{DatabaseId, Epoch, FleetId, Incarnation, SessionId, TimestampMs};
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_128;

use super::*;
use crate::{Nonce, Response, golden};

const PLACE: Place = Place { fleet: FleetId(0xf1ee7), database: DatabaseId(0x5107) };

fn position(number: u64) -> Position {
    Position::new(number).expect("in range")
}

fn header(kind: Kind) -> Header {
    Header {
        kind,
        encoding: Encoding::Raw,
        fleet: PLACE.fleet,
        database: PLACE.database,
        epoch: Epoch(7),
        position: position(42),
        nonce: Nonce { process: Incarnation(0xabcd), opening: 3 },
        previous: RecordHash(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
        at: TimestampMs(1_700_000_000_123),
        first_transaction: 1000,
        transactions: 2,
        page_size: 512,
        image_pages: 9,
        page_count: 0,
        outcome_count: 0,
        raw_len: 0,
        body_len: 0,
    }
}

fn outcomes() -> Vec<Outcome> {
    let outcome = |number, response| Outcome { session: SessionId(0xfeed), number, response };
    vec![
        outcome(11, Response::Kept(Bytes::from_static(b"INSERT 0 1"))),
        outcome(12, Response::TooLong(70_000)),
    ]
}

/// Pages of one byte each, or of bytes that no compression makes smaller.
fn pages(plain: bool) -> Vec<(u32, Bytes)> {
    let noise = |seed: u64| {
        (0..64u64).flat_map(move |n| xxhash_rust::xxh3::xxh3_64_with_seed(b"", seed + n).to_le_bytes())
    };
    [2u32, 3, 9]
        .map(|n| (n, if plain { vec![n as u8; 512].into() } else { noise(u64::from(n) * 100).collect() }))
        .to_vec()
}

fn encode(header: Header, body: &Body<'_>) -> Bytes {
    Encoded::new(header, body).parts.concat().into()
}

fn data(plain: bool) -> (Bytes, Vec<Outcome>, Vec<(u32, Bytes)>) {
    let (outcomes, pages) = (outcomes(), pages(plain));
    let body = Body { outcomes: &outcomes, pages: &pages, base: None };
    (encode(header(Kind::Data), &body), outcomes, pages)
}

fn decode(bytes: &Bytes) -> Result<Record, Damage> {
    Record::decode(bytes, PLACE, position(42))
}

#[test]
fn data_records_shipped_so_far_still_decode() {
    for (name, plain, encoding) in [("data-raw", false, Encoding::Raw), ("data-lz4", true, Encoding::Lz4)] {
        let (bytes, outcomes, pages) = data(plain);
        let golden = golden::check(name, &bytes);
        let record = decode(&golden).expect(name);
        assert_eq!(
            (record.header.encoding, record.outcomes, record.pages),
            (encoding, outcomes, pages),
            "{name}"
        );
        let Header { transactions, page_size, image_pages, page_count, outcome_count, .. } = record.header;
        assert_eq!((transactions, page_size, image_pages, page_count, outcome_count), (2, 512, 9, 3, 2));
    }
}

#[test]
fn records_without_pages_shipped_so_far_still_decode_and_encode_alike() {
    let base = Base { database: DatabaseId(0x0a17), position: position(17), hash: RecordHash(99) };
    for (name, kind, base) in [
        ("fence", Kind::Fence, None),
        ("seal", Kind::Seal, None),
        ("drop", Kind::Drop, None),
        ("base", Kind::Base, Some(base)),
    ] {
        let bytes = encode(header(kind), &Body { base, ..Body::default() });
        let golden = golden::check(name, &bytes);
        assert_eq!(golden, bytes, "{name}");
        let record = decode(&golden).expect(name);
        assert_eq!((record.header.kind, record.base, record.header.epoch), (kind, base, Epoch(7)), "{name}");
    }
}

#[test]
fn marks_shipped_so_far_still_decode_and_encode_alike() {
    for (name, kind) in [("pin", Kind::Pin), ("tombstone", Kind::Tombstone)] {
        let bytes = encode(header(kind), &Body::default());
        let golden = golden::check(name, &bytes);
        assert_eq!(golden, bytes, "{name}");
        let found = Record::decode_bare(&golden, PLACE, kind).expect(name);
        assert_eq!((found.position, found.previous), (position(42), header(kind).previous));
        assert!(decode(&golden).is_err(), "a {name} is no record");
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_found() {
    for plain in [true, false] {
        let (good, ..) = data(plain);
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
}

#[test]
fn damage_is_told_apart() {
    let (good, ..) = data(true);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        let crc = crc32fast::hash(&bytes[..124]);
        bytes[124..128].copy_from_slice(&crc.to_le_bytes());
        decode(&bytes.into()).expect_err("damaged")
    };
    assert_eq!(with(0, b'X'), Damage::NotOurs);
    assert_eq!(with(4, 9), Damage::Unknown { what: "format", number: 9 });
    assert_eq!(with(6, 77), Damage::Unknown { what: "kind", number: 77 });
    assert_eq!(with(7, 2), Damage::Unknown { what: "encoding", number: 2 });
    assert!(matches!(with(24, 1), Damage::Foreign { .. }), "another database");
    assert!(matches!(with(40, 43), Damage::Foreign { .. }), "another position");
    assert!(matches!(with(100, 3), Damage::Nonsense(_)), "a page size that is no power of two");
    assert!(matches!(with(120, 0), Damage::Length { .. }));
    let mut bytes = good.to_vec();
    bytes[130] ^= 1;
    assert_eq!(decode(&bytes.into()), Err(Damage::Content));
    assert_eq!(decode(&Bytes::from_static(b"<html>404</html>")), Err(Damage::NotOurs));
}

/// A record with right checksums over whatever it says: what a faulty program might write.
fn signed(mut header: Header, body: &[u8]) -> Bytes {
    header.body_len = body.len() as u32;
    let mut bytes = header.encode();
    bytes.put_slice(body);
    let hash = xxh3_128(&bytes);
    bytes.put_u128_le(hash);
    bytes.into()
}

proptest! {
    #[test]
    fn nothing_that_has_right_checksums_makes_decoding_panic(
        kind in 0usize..5, lz4: bool, page_size in prop_oneof![Just(0u32), Just(512), any::<u32>()],
        counts in prop_oneof![(0u32..4, 0u32..4, 0u32..4096), any::<(u32, u32, u32)>()],
        image_pages in 0u32..64, body in proptest::collection::vec(any::<u8>(), 0..2048),
    ) {
        let (page_count, outcome_count, raw_len) = counts;
        let raw_len = if lz4 { raw_len.min(1 << 20) } else { raw_len };
        let mut header = Header { page_size, image_pages, page_count, outcome_count, raw_len, ..header(Kind::Data) };
        header.encoding = if lz4 { Encoding::Lz4 } else { Encoding::Raw };
        header.kind = [Kind::Data, Kind::Data, Kind::Fence, Kind::Base, Kind::Snapshot][kind];
        let decoded = decode(&signed(header, &body));
        let by_checksum = matches!(decoded, Err(Damage::Header | Damage::Content | Damage::Length { .. }));
        prop_assert!(!by_checksum, "the test means to get past the checksums");
        if let Ok(record) = decoded {
            prop_assert!(record.pages.iter().all(|(number, _)| (1..=image_pages).contains(number)));
        }
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same(
        numbers in proptest::collection::btree_set(1u32..=40, 0..12), fill: u8,
        responses in proptest::collection::vec((any::<u128>(), any::<u64>(), 0usize..3000), 0..8),
    ) {
        let pages: Vec<_> = numbers.iter().map(|n| (*n, Bytes::from(vec![fill ^ *n as u8; 512]))).collect();
        let outcome = |(session, number, len): &(u128, u64, usize)| Outcome {
            session: SessionId(*session), number: *number, response: Response::new(vec![fill; *len].into()),
        };
        let outcomes: Vec<_> = responses.iter().map(outcome).collect();
        let mut header = header(Kind::Data);
        header.image_pages = 40;
        let record = decode(&encode(header, &Body { outcomes: &outcomes, pages: &pages, base: None }));
        let record = record.map_err(|damage| TestCaseError::fail(damage.to_string()))?;
        prop_assert_eq!((record.pages, record.outcomes), (pages, outcomes));
    }
}
