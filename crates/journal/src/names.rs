//! The names of a journal's objects, and what a listing of them says.
//!
//! `<fleet>/<xx>/<database>/` holds `log-<position>`, `snap-<position>`, `gone-<position>` (dropped) and `pin-<name>`.
//! Positions have 16 hexadecimal digits, so that names sort as positions do. `xx`, the low byte of the database's id,
//! spreads the folders. One folder and one listing for each database.

use model::{DatabaseId, FleetId};

use crate::{
    Position,
    damage::{Damage, Damaged, Object},
    limits::PIN_NAME_MAX,
    objects::{Key, Listed},
};

/// An object's name in its database's folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    Record(Position),
    Snapshot(Position),
    Tombstone(Position),
    Pin(String),
}

impl Name {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('-')?;
        match kind {
            "log" => position(rest).map(Self::Record),
            "snap" => position(rest).map(Self::Snapshot),
            "gone" => position(rest).map(Self::Tombstone),
            "pin" => is_pin_name(rest).then(|| Self::Pin(rest.into())),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Record(at) => format!("log-{:016x}", at.get()),
            Self::Snapshot(at) => format!("snap-{:016x}", at.get()),
            Self::Tombstone(at) => format!("gone-{:016x}", at.get()),
            Self::Pin(name) => format!("pin-{name}"),
        }
    }
}

fn position(digits: &str) -> Option<Position> {
    let plain = digits.len() == 16 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten().and_then(Position::new)
}

/// Whether a pin may have this name.
pub(crate) fn is_pin_name(name: &str) -> bool {
    let plain = name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'-'));
    plain && (1..=PIN_NAME_MAX).contains(&name.len())
}

/// The folder of a database.
pub(crate) fn folder(fleet: FleetId, database: DatabaseId) -> Key {
    Key::new(format!("{fleet}/{:02x}/{database}", database.0 & 0xff))
}

/// What a database's folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Records, by rising position.
    pub(crate) records: Vec<(Position, u64)>,
    /// Snapshots, by rising position, with their lengths.
    pub(crate) snapshots: Vec<(Position, u64)>,
    pub(crate) tombstone: Option<Position>,
    pub(crate) pins: Vec<String>,
    /// Names that no journal gives.
    pub(crate) foreign: Vec<String>,
}

/// Where a log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The newest snapshot and its length.
    pub(crate) snapshot: Option<(Position, u64)>,
    /// The last record.
    pub(crate) tail: Position,
}

impl Extent {
    /// Where replay begins.
    pub(crate) fn base(&self) -> Position {
        self.snapshot.map_or(Position::START, |(at, _)| at)
    }
}

impl Listing {
    pub(crate) fn new(listed: &[Listed]) -> Self {
        let mut listing = Self::default();
        for Listed { name, size } in listed {
            match Name::parse(name) {
                Some(Name::Record(at)) => listing.records.push((at, *size)),
                Some(Name::Snapshot(at)) => listing.snapshots.push((at, *size)),
                Some(Name::Tombstone(at)) => listing.tombstone = Some(at),
                Some(Name::Pin(name)) => listing.pins.push(name),
                None => listing.foreign.push(name.clone()),
            }
        }
        listing.records.sort();
        listing.snapshots.sort();
        listing
    }

    /// Whether the log is there from its first record on.
    pub(crate) fn has_first(&self) -> bool {
        self.records.first().is_some_and(|(at, _)| *at == Position::START.next())
    }

    /// The oldest and the newest position that can be restored.
    pub(crate) fn reach(&self) -> Option<(Position, Position)> {
        let first = if self.has_first() { self.records.first() } else { self.snapshots.first() };
        let last = self.records.last().max(self.snapshots.last());
        first.zip(last).map(|((oldest, _), (newest, _))| (*oldest, *newest))
    }

    /// The newest snapshot, and the last of the records that follow it without a gap.
    ///
    /// A record past a gap means that the listing was not taken at one instant, or that a record is lost: fencing the
    /// log in the gap would give up what follows.
    pub(crate) fn extent(&self, database: DatabaseId) -> Result<Extent, Damaged> {
        self.extent_from(self.snapshots.last().copied(), database)
    }

    /// The same, replaying from a chosen snapshot.
    pub(crate) fn extent_from(
        &self,
        snapshot: Option<(Position, u64)>,
        database: DatabaseId,
    ) -> Result<Extent, Damaged> {
        let mut extent = Extent { snapshot, tail: Position::START };
        extent.tail = extent.base();
        let after = self.records.partition_point(|(at, _)| *at <= extent.tail);
        for (at, _) in &self.records[after..] {
            if *at != extent.tail.next() {
                return Err(Damage::Missing.of(Object::Record, database, extent.tail.next()));
            }
            extent.tail = *at;
        }
        Ok(extent)
    }
}

#[cfg(test)]
mod tests;
