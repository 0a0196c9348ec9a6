//! One process: opens the database when it pleases, commits, snapshots, collects garbage, seals, forgets.

use model::{DatabaseId, Epoch, FleetId, Incarnation, TimestampMs};
use rand::{Rng, rngs::SmallRng};

use super::{
    Rules,
    world::{Answer, Rec, Reign, Snap, World, Writes},
};
use crate::{
    Nonce, Position, RecordHash, State,
    gc::{Needs, garbage},
    names::{Extent, Name},
    record::{Encoding, Header, Kind, Record},
};

const DATABASE: DatabaseId = DatabaseId(1);

pub(super) struct Process {
    number: u64,
    rules: Rules,
    phase: Phase,
    epoch: u64,
    opening: u64,
    /// What the log says, as this process believes.
    state: State,
    writes: Writes,
}

enum Phase {
    Idle,
    List,
    ReadTail(Extent),
    Fence {
        rec: Rec,
        extent: Extent,
    },
    Verify {
        fence: Rec,
    },
    ReadSnapshot(Extent),
    ReadRecords {
        tail: Position,
    },
    Owner,
    Commit {
        rec: Rec,
    },
    /// Something else stands where we put this. Whether ours stood there before is to be found out.
    Lost {
        rec: Rec,
    },
    Collect(Vec<Name>),
}

/// Whose record stands at a position.
enum Whose {
    Mine,
    Theirs(Box<Rec>),
    Unknown,
}

impl Process {
    pub(super) fn new(number: u64, rules: Rules) -> Self {
        let (state, writes) = (State::default(), 0);
        Self { number, rules, phase: Phase::Idle, epoch: 0, opening: 0, state, writes }
    }

    pub(super) fn step(&mut self, world: &mut World, random: &mut SmallRng) {
        if random.random_ratio(1, 60) {
            self.phase = Phase::Idle;
        }
        self.phase = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Idle => self.begin(world, random),
            Phase::List => Self::list(world),
            Phase::ReadTail(extent) => self.read_tail(extent, world),
            Phase::Fence { rec, extent } => self.put_fence(rec, extent, world, random),
            Phase::Verify { fence } => Self::verify(fence, world),
            Phase::ReadSnapshot(extent) => self.read_snapshot(extent, world),
            Phase::ReadRecords { tail } => self.read_record(tail, world),
            Phase::Owner => self.own(world, random),
            Phase::Commit { rec } => self.commit(rec, world, random),
            Phase::Lost { rec } => self.lost(&rec, world),
            Phase::Collect(names) => Self::delete(names, world),
        };
    }

    fn reign(&self) -> Reign {
        (self.epoch, self.opening)
    }

    fn begin(&mut self, world: &mut World, random: &mut SmallRng) -> Phase {
        // Now and then an epoch is given out twice, or this process opens again with the one it has.
        if !random.random_ratio(1, 10) || self.epoch == 0 {
            if !random.random_ratio(1, 20) || world.epochs == 0 {
                world.epochs += 1;
            }
            self.epoch = world.epochs;
        }
        world.openings += 1;
        self.opening = world.openings;
        Phase::List
    }

    fn list(world: &World) -> Phase {
        world.list().extent(DATABASE).map_or(Phase::List, Phase::ReadTail)
    }

    fn read_tail(&mut self, extent: Extent, world: &mut World) -> Phase {
        let (hash, epoch_found) = match world.log.get(&extent.tail) {
            Some(last) => (last.record.hash, Some(last)),
            None if extent.tail == Position::START => (RecordHash::NONE, None),
            // Without the rule, the snapshot must do where its record was deleted.
            None if !self.rules.boundary && world.snaps.contains_key(&extent.tail) => {
                (world.snaps[&extent.tail].state.hash, None)
            }
            None => return Phase::List,
        };
        if epoch_found.is_some_and(|last| self.is_superseded(last)) {
            return Phase::Idle;
        }
        let state = State { position: extent.tail, hash, ..State::default() };
        Phase::Fence { rec: self.record(Kind::Fence, &state, 0, world), extent }
    }

    fn is_superseded(&self, by: &Rec) -> bool {
        let header = &by.record.header;
        header.epoch.0 > self.epoch || (header.epoch.0 == self.epoch && header.nonce.process.0 != self.number)
    }

    fn record(&self, kind: Kind, after: &State, writes: Writes, world: &mut World) -> Rec {
        world.hashes += 1;
        let header = Header {
            kind,
            encoding: Encoding::Raw,
            fleet: FleetId(1),
            database: DATABASE,
            epoch: Epoch(self.epoch),
            position: after.position.next(),
            nonce: Nonce { process: Incarnation(self.number), opening: self.opening },
            previous: after.hash,
            at: TimestampMs(0),
            first_transaction: after.transactions + 1,
            transactions: u32::from(kind == Kind::Data),
            page_size: 0,
            image_pages: 0,
            page_count: 0,
            outcome_count: 0,
            raw_len: 0,
            body_len: 0,
        };
        let hash = RecordHash(world.hashes);
        let record = Record { header, outcomes: Vec::new(), pages: Vec::new(), base: None, hash, size: 0 };
        Rec { record, writes }
    }

    /// One attempt to put a record and find out whose stands there.
    fn put_own(&self, rec: &Rec, world: &mut World, random: &mut SmallRng) -> Whose {
        let answer = world.put(rec, random);
        if answer == Answer::Made || (answer == Answer::Taken && !self.rules.read_what_took_it) {
            return Whose::Mine;
        }
        match world.log.get(&rec.record.header.position) {
            None => Whose::Unknown,
            Some(there) if there == rec => Whose::Mine,
            // A retry with other bytes can know its own only by its nonce.
            Some(there) if !self.rules.same_bytes && there.record.header.nonce == rec.record.header.nonce => {
                Whose::Mine
            }
            Some(there) => Whose::Theirs(Box::new(there.clone())),
        }
    }

    fn put_fence(&mut self, rec: Rec, extent: Extent, world: &mut World, random: &mut SmallRng) -> Phase {
        match self.put_own(&rec, world, random) {
            Whose::Unknown => Phase::Fence { rec, extent },
            Whose::Theirs(there) if self.is_superseded(&there) => Phase::Idle,
            Whose::Theirs(_) => Phase::List,
            Whose::Mine if self.rules.verify_fence => Phase::Verify { fence: rec },
            Whose::Mine => Phase::ReadSnapshot(Extent { tail: rec.record.header.position, ..extent }),
        }
    }

    fn verify(fence: Rec, world: &World) -> Phase {
        let at = fence.record.header.position;
        match world.list().extent(DATABASE) {
            Ok(extent) if extent.base() < at && extent.tail == at => Phase::ReadSnapshot(extent),
            Ok(_) | Err(_) => Phase::List,
        }
    }

    fn read_snapshot(&mut self, extent: Extent, world: &World) -> Phase {
        (self.state, self.writes) = match extent.snapshot {
            None => (State::default(), 0),
            Some((at, _)) => match world.snaps.get(&at) {
                Some(snap) => (snap.state.clone(), snap.writes),
                None => return Phase::List,
            },
        };
        Phase::ReadRecords { tail: extent.tail }
    }

    fn read_record(&mut self, tail: Position, world: &mut World) -> Phase {
        let Some(rec) = world.log.get(&self.state.position.next()) else {
            return Phase::List;
        };
        if self.rules.chain {
            if self.state.apply(&rec.record).is_err() {
                return Phase::List;
            }
        } else {
            self.state.advance(&rec.record.header, rec.record.hash);
        }
        self.writes |= rec.writes;
        if self.state.position < tail {
            return Phase::ReadRecords { tail };
        }
        world.open(self.reign(), self.writes);
        Phase::Owner
    }

    fn own(&mut self, world: &mut World, random: &mut SmallRng) -> Phase {
        match random.random_range(0..20) {
            0 => Phase::Commit { rec: self.record(Kind::Seal, &self.state, 0, world) },
            1..5 => {
                let (state, writes) = (self.state.clone(), self.writes);
                world.put_snapshot(Snap { state, writes }, random);
                Phase::Owner
            }
            5..9 if self.rules.collect => self.collect(world),
            _ if world.writes < Writes::BITS => {
                let write = 1 << world.writes;
                world.writes += 1;
                Phase::Commit { rec: self.record(Kind::Data, &self.state, write, world) }
            }
            _ => Phase::Owner,
        }
    }

    fn commit(&mut self, mut rec: Rec, world: &mut World, random: &mut SmallRng) -> Phase {
        match self.put_own(&rec, world, random) {
            Whose::Unknown if !self.rules.same_bytes && world.writes < Writes::BITS => {
                // What was committed meanwhile joins the next attempt.
                let write = 1 << world.writes;
                world.writes += 1;
                rec = self.record(rec.record.header.kind, &self.state, rec.writes | write, world);
                Phase::Commit { rec }
            }
            Whose::Unknown => Phase::Commit { rec },
            Whose::Theirs(_) => Phase::Lost { rec },
            Whose::Mine => {
                self.state.advance(&rec.record.header, rec.record.hash);
                self.writes |= rec.writes;
                world.acknowledge(self.reign(), rec.writes);
                if self.state.sealed { Phase::Idle } else { Phase::Owner }
            }
        }
    }

    /// A position past every snapshot was never garbage, so what stands there is all that ever did.
    fn lost(&self, rec: &Rec, world: &mut World) -> Phase {
        let newest = world.list().snapshots.last().map_or(Position::START, |(at, _)| *at);
        if newest < rec.record.header.position || !self.rules.ask_before_refusing {
            world.refuse(rec.writes);
        }
        Phase::Idle
    }

    fn collect(&self, world: &World) -> Phase {
        let listing = world.list();
        let known = listing.snapshots.iter().rev().find(|(at, _)| *at <= self.state.position);
        let Some((oldest, _)) = known.copied() else {
            return Phase::Owner;
        };
        let fences = if self.rules.keep_fences { &self.state.fences[..] } else { &[] };
        let mut names = garbage(&listing, &Needs { oldest, pinned: Vec::new() }, fences);
        if !self.rules.boundary {
            names.push(Name::Record(oldest));
        }
        Phase::Collect(names)
    }

    fn delete(mut names: Vec<Name>, world: &mut World) -> Phase {
        match names.pop() {
            Some(Name::Record(at)) => world.collected += u64::from(world.log.remove(&at).is_some()),
            Some(Name::Snapshot(at)) => world.collected += u64::from(world.snaps.remove(&at).is_some()),
            Some(Name::Tombstone(_) | Name::Pin(_)) => unreachable!("BUG: never garbage"),
            None => return Phase::Owner,
        }
        Phase::Collect(names)
    }
}
