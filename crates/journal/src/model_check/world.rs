//! The store, the network that puts travel through, and the checker that sees everything.

use std::collections::BTreeMap;

use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};

use crate::{Position, State, names::Listing, record::Record};

/// A set of writes; each acknowledged write has a bit.
pub(super) type Writes = u128;

/// A record and the writes that it carries.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rec {
    pub(super) record: Record,
    pub(super) writes: Writes,
}

#[derive(Clone, Debug)]
pub(super) struct Snap {
    pub(super) state: State,
    pub(super) writes: Writes,
}

/// Who did something: openings are ordered by epoch, and those of one epoch (by one process) by number.
pub(super) type Reign = (u64, u64);

/// What a put was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Made,
    Taken,
    Nothing,
}

#[derive(Default)]
pub(super) struct World {
    pub(super) log: BTreeMap<Position, Rec>,
    pub(super) snaps: BTreeMap<Position, Snap>,
    late_records: Vec<Rec>,
    late_snaps: Vec<Snap>,
    pub(super) epochs: u64,
    pub(super) openings: u64,
    pub(super) writes: u32,
    pub(super) hashes: u128,
    pub(super) acknowledged: Vec<(Reign, Writes)>,
    pub(super) opened: Vec<(Reign, Writes)>,
    refused: Writes,
    pub(super) collected: u64,
    pub(super) violation: Option<String>,
}

impl World {
    pub(super) fn list(&self) -> Listing {
        Listing {
            records: self.log.keys().map(|at| (*at, 0)).collect(),
            snapshots: self.snaps.keys().map(|at| (*at, 0)).collect(),
            ..Listing::default()
        }
    }

    fn create(&mut self, rec: Rec) -> Answer {
        let at = rec.record.header.position;
        if self.log.contains_key(&at) {
            return Answer::Taken;
        }
        self.log.insert(at, rec);
        Answer::Made
    }

    /// A put travels: what becomes of it, and what its sender hears.
    pub(super) fn put(&mut self, rec: &Rec, random: &mut SmallRng) -> Answer {
        match random.random_range(0..100) {
            // Good.
            0..60 => self.create(rec.clone()),
            // It lands, its answer is lost, and the client library tries again by itself.
            60..70 => {
                self.create(rec.clone());
                self.create(rec.clone())
            }
            // It lands and its answer is lost.
            70..78 => {
                self.create(rec.clone());
                Answer::Nothing
            }
            // The network delivers it a second time, later.
            78..86 => {
                self.late_records.push(rec.clone());
                self.create(rec.clone())
            }
            // It is late.
            86..96 => {
                self.late_records.push(rec.clone());
                Answer::Nothing
            }
            // It is gone.
            _ => Answer::Nothing,
        }
    }

    pub(super) fn put_snapshot(&mut self, snap: Snap, random: &mut SmallRng) {
        if random.random_ratio(1, 8) {
            self.late_snaps.push(snap);
        } else {
            self.snaps.entry(snap.state.position).or_insert(snap);
        }
    }

    /// Something late lands, or is lost for good.
    pub(super) fn land_something(&mut self, random: &mut SmallRng) {
        if let Some(index) = (0..self.late_records.len()).collect::<Vec<_>>().choose(random) {
            let rec = self.late_records[*index].clone();
            if random.random_ratio(1, 3) {
                self.late_records.swap_remove(*index);
            }
            self.create(rec);
        }
        if random.random_ratio(1, 4)
            && let Some(snap) = self.late_snaps.pop()
        {
            self.snaps.entry(snap.state.position).or_insert(snap);
        }
    }

    /// A client is told that its write is durable.
    pub(super) fn acknowledge(&mut self, by: Reign, writes: Writes) {
        let lost = self.opened.iter().find(|(opened, has)| *opened > by && writes & !has != 0);
        if let Some((opened, _)) = lost {
            self.violation =
                Some(format!("{by:?} acknowledges {writes:b}, which {opened:?} had opened without"));
        }
        self.acknowledged.push((by, writes));
    }

    /// A client is told that its write failed for good.
    pub(super) fn refuse(&mut self, writes: Writes) {
        self.refused |= writes;
    }

    /// An opening is complete.
    pub(super) fn open(&mut self, by: Reign, has: Writes) {
        let lost = self.acknowledged.iter().find(|(acked, writes)| *acked < by && writes & !has != 0);
        if let Some((acked, writes)) = lost {
            self.violation =
                Some(format!("{by:?} opened without {writes:b}, which {acked:?} had acknowledged"));
        }
        if has & self.refused != 0 {
            self.violation =
                Some(format!("{by:?} opened with {has:b}, of which {:b} was refused", self.refused));
        }
        self.opened.push((by, has));
    }
}
