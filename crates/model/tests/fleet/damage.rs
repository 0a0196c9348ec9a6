//! Bytes that are not what was written: refused, without panic and without wanting more memory than they could hold.

use model::{Command, Entry, Fleet, Revision, TimestampMs, codec};
use proptest::{collection::vec, prelude::*};

use crate::{allocator::peak, golden, view};

/// Memory that decoding may want: serde reserves up to 1 MiB for a list before it has seen its items.
fn bytes_max(input: &[u8]) -> usize {
    (4 << 20) + 64 * input.len()
}

/// Decodes an entry; panics when that panics or wants absurdly much.
fn entry(bytes: &[u8]) -> Result<Entry, codec::Error> {
    let (result, wanted) = peak(|| codec::decode_entry(bytes));
    assert!(wanted <= bytes_max(bytes), "{wanted} bytes for {}", golden::hex(bytes));
    result
}

fn snapshot(bytes: &[u8]) -> Result<Fleet, codec::Error> {
    let (result, wanted) = peak(|| codec::decode_snapshot(bytes));
    assert!(wanted <= bytes_max(bytes), "{wanted} bytes for {}", golden::hex(bytes));
    result
}

/// Puts the right checksum under a damaged snapshot, so that the decoder behind it is reached.
fn resealed(bytes: &[u8]) -> Vec<u8> {
    let content = &bytes[..bytes.len().saturating_sub(8)];
    [content, &xxhash_rust::xxh3::xxh3_64(content).to_le_bytes()].concat()
}

/// Whatever is accepted must be a map that can be served: consistent, and able to go on.
fn serve(mut fleet: Fleet) {
    let again = snapshot(&codec::encode_snapshot(&fleet)).expect("our own snapshot");
    assert_eq!((view::lines(&again), again.digest()), (view::lines(&fleet), fleet.digest()));
    let ids: Vec<_> = fleet.databases_after(None).map(|(id, _)| id).collect();
    assert_eq!(ids.len(), fleet.databases_len());
    for database in ids {
        let entry = Entry::new(TimestampMs(0), Command::DropDatabase { database });
        fleet.apply(Revision(fleet.revision().0 + 1), &entry).expect("it is there");
    }
    let name = model::Name::new("another").expect("a good name");
    let create = Command::CreateDatabase { name, owner: None, key: None };
    // May be rejected (the counter may be at its end), must not panic.
    drop(fleet.apply(Revision(fleet.revision().0 + 1), &Entry::new(TimestampMs(0), create)));
}

fn accept(result: Result<Fleet, codec::Error>) {
    if let Ok(fleet) = result {
        serve(fleet);
    }
}

#[test]
fn truncated_bytes_are_refused_at_every_length() {
    for (name, bytes) in golden::entries() {
        for end in 0..bytes.len() {
            assert!(entry(&bytes[..end]).is_err(), "{name} cut to {end} bytes");
        }
    }
    let bytes = golden::snapshot();
    for end in 0..bytes.len() {
        assert!(snapshot(&bytes[..end]).is_err(), "cut to {end} bytes");
        accept(snapshot(&resealed(&bytes[..end])));
    }
}

#[test]
fn bytes_too_many_are_refused() {
    for (name, bytes) in golden::entries() {
        assert!(entry(&[&bytes[..], &[0]].concat()).is_err(), "{name}");
    }
    assert!(snapshot(&[&golden::snapshot()[..], &[0]].concat()).is_err());
}

#[test]
fn every_flipped_bit_of_a_snapshot_is_noticed() {
    let bytes = golden::snapshot();
    for at in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[at / 8] ^= 1 << (at % 8);
        assert!(snapshot(&damaged).is_err(), "bit {at}");
        accept(snapshot(&resealed(&damaged)));
    }
}

#[test]
fn absurd_lengths_want_no_memory() {
    let overwrite = |bytes: &[u8], at: usize, with: u64| {
        let mut damaged = bytes.to_vec();
        let end = (at + 8).min(damaged.len());
        damaged[at..end].copy_from_slice(&with.to_le_bytes()[..end - at]);
        damaged
    };
    for with in [u64::MAX, i64::MAX as u64, 1 << 40, u64::from(u32::MAX), 0] {
        for bytes in golden::entries().into_values() {
            (1..bytes.len()).for_each(|at| drop(entry(&overwrite(&bytes, at, with))));
        }
        let bytes = golden::snapshot();
        (1..bytes.len()).for_each(|at| accept(snapshot(&resealed(&overwrite(&bytes, at, with)))));
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..400), tag in 0u8..19) {
        drop(entry(&bytes));
        accept(snapshot(&bytes));
        // With a version, a time and a command's number that fit, more of it is read.
        let head = [&[1u8; 9][..], &[tag, 0, 0, 0]].concat();
        drop(entry(&[&head[..], &bytes].concat()));
        drop(entry(&[&[2u8][..], &head[1..9], &bytes].concat()));
        accept(snapshot(&resealed(&[&[1u8][..], &bytes].concat())));
        accept(snapshot(&resealed(&[&[2u8][..], &bytes].concat())));
        accept(snapshot(&resealed(&[&[3u8][..], &bytes].concat())));
    }

    #[test]
    fn damaged_bytes_never_panic(
        which in any::<prop::sample::Index>(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let damaged = |mut bytes: Vec<u8>| {
            for (at, byte) in &damage {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            bytes
        };
        let entries: Vec<_> = golden::entries().into_values().collect();
        drop(entry(&damaged(entries[which.index(entries.len())].clone())));
        accept(snapshot(&resealed(&damaged(golden::snapshot()))));
    }
}
