//! Writes a map as the lists that [`V1`](super::V1) and its followers read, straight from the map and piece by piece:
//! copying millions of databases into a list first, or all bytes into memory, would cost more than writing them.

use std::io::{self, Write};

use serde::Serialize;

use super::{DIRECTIVES, EVENTS, LEVEL, OPTIONS, PAUSED, PENDING, PINS, Part, SENDERS};
use crate::{Event, Fleet, Level, Revision};

/// All of it, in the oldest version that can say it.
pub fn whole(fleet: &Fleet, to: &mut impl Write) -> io::Result<()> {
    let mut parts = parts(fleet);
    parts.extend(told(fleet));
    parts.sort_unstable_by_key(|part| part.kind);
    if parts.is_empty() {
        return lists(fleet, fleet.revision, to);
    }
    to.write_all(&[3])?;
    first(fleet, fleet.revision, to)?;
    list(to, fleet.forming.iter())?;
    put(to, &parts)
}

/// What version 2 knew, at this revision, in the oldest version that can say it.
pub fn lists(fleet: &Fleet, revision: Revision, to: &mut impl Write) -> io::Result<()> {
    to.write_all(&[if fleet.forming.is_empty() { 1 } else { 2 }])?;
    first(fleet, revision, to)?;
    if fleet.forming.is_empty() { Ok(()) } else { list(to, fleet.forming.iter()) }
}

/// Everything that is part of the map, and so of its digest, and not in version 2, by rising number.
pub fn parts(fleet: &Fleet) -> Vec<Part> {
    let options: Vec<_> = fleet.options.iter().map(|(id, options)| (*id, options.set_ones())).collect();
    let level = (fleet.level > Level::FIRST).then_some(fleet.level);
    let directives: Vec<_> = fleet.directives.iter().collect();
    let pins: Vec<_> = fleet.pins.iter().collect();
    let senders: Vec<_> = fleet.senders.iter().collect();
    let pending: Vec<_> = fleet.pending.iter().collect();
    let parts = [
        part(OPTIONS, &options),
        part(LEVEL, level.as_slice()),
        part(DIRECTIVES, &directives),
        part(PINS, &pins),
        part(PAUSED, fleet.paused.as_slice()),
        part(SENDERS, &senders),
        part(PENDING, &pending),
    ];
    parts.into_iter().flatten().collect()
}

fn part<T: Serialize>(kind: u8, items: &[T]) -> Option<Part> {
    (!items.is_empty()).then(|| Part { kind, bytes: in_memory(items) })
}

/// The events, which are no part of the map. A map to which nothing ever happened has none, and controllers of the first
/// level cannot read them.
fn told(fleet: &Fleet) -> Option<Part> {
    if fleet.revision == Revision(0) || fleet.level < Level::EVENTS {
        return None;
    }
    let events: Vec<&Event> = fleet.events.iter().collect();
    Some(Part { kind: EVENTS, bytes: in_memory(&(fleet.events.floor(), &events)) })
}

/// The fields of [`V1`](super::V1), in its order.
fn first(fleet: &Fleet, revision: Revision, to: &mut impl Write) -> io::Result<()> {
    put(to, &(fleet.id, revision, fleet.database_last))?;
    list(to, fleet.databases.iter())?;
    list(to, fleet.dropped.iter())?;
    list(to, fleet.servers.iter())?;
    list(to, fleet.handlers.iter())?;
    list(to, fleet.users.iter())?;
    list(to, fleet.keys.iter())
}

fn list<T: Serialize>(to: &mut impl Write, items: impl ExactSizeIterator<Item = T>) -> io::Result<()> {
    put(to, &(items.len() as u64))?;
    items.into_iter().try_for_each(|item| put(to, &item))
}

fn put<T: Serialize + ?Sized>(to: &mut impl Write, value: &T) -> io::Result<()> {
    bincode::serialize_into(to, value).map_err(|error| match *error {
        bincode::ErrorKind::Io(error) => error,
        error => io::Error::other(error),
    })
}

fn in_memory<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    bincode::serialize(value).expect("BUG: writing to memory cannot fail")
}
