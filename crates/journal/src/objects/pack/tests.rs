//! Packs under every order of their steps: several processes put, delete and die between any two operations of the
//! disk, in an order drawn from a seed, and then the power goes. Put-if-absent and durability must hold; a planted
//! bug must be noticed. (S1, R28, R29)

mod damage;
#[path = "../../../tests/journal/crash/disk.rs"]
pub(in crate::objects) mod disk;
mod turns;

use std::{cell::Cell, collections::BTreeMap, sync::Arc, thread};

use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::StdRng};

use self::{
    disk::{Lie, SimDisk},
    turns::{InTurns, Turns},
};
use crate::{
    Local, Objects, Position, Threads,
    names::Name,
    objects::{Created, Key, Layout, OnBroken},
};

thread_local! {
    static LAST_WINS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread's indexes have the planted bug.
pub(super) fn last_wins() -> bool {
    LAST_WINS.get()
}

/// Positions that the collector deletes: all of the first pack but one, or all.
const GARBAGE: [u64; 3] = [1, 2, 3];
/// Positions put before anything else begins; the first pack's last is 3.
const OLD: u64 = 5;
const LAST: u64 = 9;
const WRITERS: u64 = 3;

fn key(position: u64) -> Key {
    let record = Name::Record(Position::new(position).expect("a position"));
    Key::new(format!("fleet/00/db/{}", record.text()))
}

fn bytes(writer: u64, position: u64) -> Bytes {
    vec![writer as u8; 300 + position as usize].into()
}

/// What somebody was told, or saw, of a position.
#[derive(Debug)]
struct Told {
    position: u64,
    made: bool,
    there: Option<Bytes>,
}

fn local(disk: impl crate::objects::Disk) -> Local {
    Local::on(disk, Layout::Packs, Threads::Inline, OnBroken::Refuse)
}

/// Runs what never waits: everything is done in the calling thread.
fn now<T>(future: impl Future<Output = T>) -> T {
    futures::FutureExt::now_or_never(future).expect("BUG: it waits")
}

/// One process puts records, each until it is told something or dies, and looks at what stands where it lost.
fn write(store: &Local, writer: u64, random: &mut StdRng) -> Vec<Told> {
    let mut told = Vec::new();
    for _ in 0..4 {
        let position = random.random_range(1..=LAST);
        let Ok(created) = now(store.create(&key(position), &[bytes(writer, position)])) else { continue };
        let made = created == Created::Made;
        let there = if made {
            Some(bytes(writer, position))
        } else {
            now(store.read(&key(position), None)).ok().flatten()
        };
        told.push(Told { position, made, there });
    }
    told
}

/// One episode; returns what was violated.
fn episode(lie: Lie, last_wins: bool, seed: u64) -> Option<String> {
    LAST_WINS.set(last_wins);
    let mut random = StdRng::seed_from_u64(seed);
    let platter = SimDisk::new(lie);
    let first = local(platter.process(i64::MAX));
    let mut told: Vec<Told> = Vec::new();
    for position in 1..=OLD {
        let there = Some(bytes(0, position));
        while now(first.create(&key(position), &[bytes(0, position)])).is_err() {}
        told.push(Told { position, made: true, there });
    }
    let garbage = &GARBAGE[..random.random_range(1..=GARBAGE.len())];
    let turns = Arc::new(Turns::new(WRITERS as usize + 1, random.random()));
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for writer in 1..=WRITERS {
            let operations = if random.random_bool(0.3) { random.random_range(1..60) } else { i64::MAX };
            let disk = InTurns::new(platter.process(operations), &turns);
            let mut random = StdRng::seed_from_u64(random.random());
            threads.push(scope.spawn(move || {
                LAST_WINS.set(last_wins);
                let _turn = disk.turn();
                write(&local(disk), writer, &mut random)
            }));
        }
        let disk = InTurns::new(platter.process(random.random_range(5..60)), &turns);
        threads.push(scope.spawn(move || {
            LAST_WINS.set(last_wins);
            let _turn = disk.turn();
            let keys: Vec<Key> = garbage.iter().map(|at| key(*at)).collect();
            // It may die of it.
            drop(now(local(disk).delete_all(&keys)));
            Vec::new()
        }));
        told.extend(threads.into_iter().flat_map(|thread| thread.join().expect("no panic")));
    });
    told.retain(|told| !garbage.contains(&told.position));
    check(&told, &local(platter.process(i64::MAX)), false).or_else(|| {
        platter.power_cut(&mut random);
        check(&told, &local(platter.process(i64::MAX)), true)
    })
}

/// Whether what stands there now is what everybody was told.
fn check(told: &[Told], store: &Local, cut: bool) -> Option<String> {
    let listed = now(store.list(&Key::new("fleet/00/db".into()))).expect("listed");
    let mut winners = BTreeMap::new();
    for Told { position, made, there } in told {
        let key = key(*position);
        let found = now(store.read(&key, None)).expect("read");
        if found.is_none() || (there.is_some() && found != *there) {
            let short =
                |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| (bytes.first().copied(), bytes.len()));
            let (found, there) = (short(&found), short(there));
            return Some(format!("position {position}, cut {cut}: {found:?}, made {made}, told {there:?}"));
        }
        let size = found.map_or(0, |bytes| bytes.len() as u64);
        if !listed.iter().any(|l| key.split().1 == l.name && l.size == size) {
            return Some(format!("position {position}, cut {cut}: not listed with {size} bytes"));
        }
        if *made && winners.insert(position, ()).is_some() {
            return Some(format!("position {position} has two winners"));
        }
    }
    None
}

fn first_violation(lie: Lie, last_wins: bool, seeds: std::ops::Range<u64>) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| episode(lie, last_wins, seed).map(|violation| (seed, violation)))
}

/// Schedules tried; the environment may ask for more.
fn episodes() -> u64 {
    std::env::var("JOURNAL_PACK_EPISODES").map_or(1_500, |text| text.parse().expect("a number of episodes"))
}

#[test]
fn each_position_has_one_durable_winner_under_any_schedule_tried() {
    assert_eq!(first_violation(Lie::None, false, 0..episodes()), None);
}

#[test]
fn were_the_last_record_of_a_position_to_win_it_would_be_noticed() {
    let (_, violation) = first_violation(Lie::None, true, 0..300).expect("found");
    assert!(violation.contains("position"), "{violation}");
}

#[test]
fn an_answer_before_the_sync_would_be_noticed() {
    let (_, violation) = first_violation(Lie::SyncFile, false, 0..300).expect("found");
    assert!(violation.contains("cut true"), "{violation}");
}

#[test]
fn a_new_file_whose_folder_is_not_synced_would_be_noticed() {
    let (_, violation) = first_violation(Lie::SyncDir, false, 0..300).expect("found");
    assert!(violation.contains("cut true"), "{violation}");
}

#[test]
fn appends_that_are_not_atomic_would_be_noticed() {
    assert!(first_violation(Lie::Append, false, 0..300).is_some());
}
