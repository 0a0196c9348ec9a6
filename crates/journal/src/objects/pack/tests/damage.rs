//! What is durable is never passed over in silence, whatever happens to the bytes of a pack's file.

use std::{fs, path::Path};

use bytes::Bytes;

use super::{bytes, key, now};
use crate::{
    Local, Objects, Threads,
    objects::{Created, Layout, OnBroken, RealDisk},
};

const PACK: &str = "fleet/00/db/pack-0000000000000000";

fn open(dir: &Path) -> Local {
    let disk = RealDisk::new(dir).expect("a directory");
    Local::on(disk, Layout::Packs, Threads::Inline, OnBroken::Refuse)
}

/// What stands at the first three positions.
fn read(dir: &Path) -> [Option<Bytes>; 3] {
    let store = open(dir);
    [1, 2, 3].map(|position| now(store.read(&key(position), None)).expect("read"))
}

fn filled() -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    for position in 1..=2 {
        now(store.create(&key(position), &[bytes(7, position)])).expect("created");
    }
    let file = fs::read(dir.path().join(PACK)).expect("there");
    (dir, file)
}

#[test]
fn no_flipped_bit_makes_a_record_vanish_not_even_the_last() {
    let (dir, good) = filled();
    let whole = [1, 2].map(|position| Some(bytes(7, position)));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(dir.path().join(PACK), &bad).expect("written");
        let [first, second, third] = read(dir.path());
        assert!(first.is_some() && second.is_some(), "byte {at}: a record is gone");
        assert_eq!(third, None, "byte {at}");
        let changed = usize::from(first != whole[0]) + usize::from(second != whole[1]);
        assert!(changed <= 1, "byte {at} is in one record at most");
    }
}

#[test]
fn a_pack_whose_beginning_is_lost_shows_no_record_and_takes_none() {
    let (dir, mut bad) = filled();
    bad[..40].fill(0);
    fs::write(dir.path().join(PACK), &bad).expect("written");
    let store = open(dir.path());
    let listed = now(store.list(&crate::objects::Key::new("fleet/00/db".into()))).expect("listed");
    assert_eq!(listed.len(), 3, "all its positions, so that whoever needs one finds the damage: {listed:?}");
    assert_eq!(read(dir.path()), [1, 2, 3].map(|_| Some(vec![0; 40].into())));
    for position in 1..=3 {
        let created = now(store.create(&key(position), &[bytes(8, position)])).expect("answered");
        assert_eq!(created, Created::Taken);
    }
}

#[test]
fn what_was_never_finished_is_passed_over_and_its_position_is_free() {
    let (dir, good) = filled();
    let store = open(dir.path());
    now(store.create(&key(3), &[bytes(7, 3)])).expect("created");
    let with_third = fs::read(dir.path().join(PACK)).expect("there");
    let settled = 52 + 12;
    for end in good.len()..with_third.len() - settled {
        fs::write(dir.path().join(PACK), &with_third[..end]).expect("written");
        assert_eq!(read(dir.path())[2], None, "{end} bytes");
        let created = now(open(dir.path()).create(&key(3), &[bytes(9, 3)])).expect("created");
        assert_eq!(created, Created::Made, "{end} bytes");
        assert_eq!(read(dir.path()), [bytes(7, 1), bytes(7, 2), bytes(9, 3)].map(Some), "{end} bytes");
    }
}
