//! Writes a map as the lists that [`V1`](super::V1) and its followers read, straight from the map: copying millions of
//! databases into a list first would cost more than writing them.

use serde::Serialize;

use super::{EVENTS, LEVEL, OPTIONS, Part};
use crate::{Event, Fleet, Level, Revision};

/// All of it, in the oldest version that can say it.
pub fn whole(fleet: &Fleet, bytes: &mut Vec<u8>) {
    let mut parts = parts(fleet);
    parts.extend(told(fleet));
    parts.sort_unstable_by_key(|part| part.kind);
    if parts.is_empty() {
        return lists(fleet, fleet.revision, bytes);
    }
    bytes.push(3);
    first(fleet, fleet.revision, bytes);
    list(bytes, fleet.forming.iter());
    put(bytes, &parts);
}

/// What version 2 knew, at this revision, in the oldest version that can say it.
pub fn lists(fleet: &Fleet, revision: Revision, bytes: &mut Vec<u8>) {
    bytes.push(if fleet.forming.is_empty() { 1 } else { 2 });
    first(fleet, revision, bytes);
    if !fleet.forming.is_empty() {
        list(bytes, fleet.forming.iter());
    }
}

/// Everything that is part of the map, and so of its digest, and not in version 2, by rising number.
pub fn parts(fleet: &Fleet) -> Vec<Part> {
    let options: Vec<_> = fleet.options.iter().map(|(id, options)| (*id, options.set_ones())).collect();
    let level = (fleet.level > Level::FIRST).then_some(fleet.level);
    [part(OPTIONS, &options), part(LEVEL, level.as_slice())].into_iter().flatten().collect()
}

fn part<T: Serialize>(kind: u8, items: &[T]) -> Option<Part> {
    let mut bytes = Vec::new();
    put(&mut bytes, items);
    (!items.is_empty()).then_some(Part { kind, bytes })
}

/// The events, which are no part of the map. A map to which nothing ever happened has none, and controllers of the first
/// level cannot read them.
fn told(fleet: &Fleet) -> Option<Part> {
    if fleet.revision == Revision(0) || fleet.level < Level::EVENTS {
        return None;
    }
    let events: Vec<&Event> = fleet.events.iter().collect();
    let mut bytes = Vec::new();
    put(&mut bytes, &(fleet.events.floor(), &events));
    Some(Part { kind: EVENTS, bytes })
}

/// The fields of [`V1`](super::V1), in its order.
fn first(fleet: &Fleet, revision: Revision, bytes: &mut Vec<u8>) {
    put(bytes, &(fleet.id, revision, fleet.database_last));
    list(bytes, fleet.databases.iter());
    list(bytes, fleet.dropped.iter());
    list(bytes, fleet.servers.iter());
    list(bytes, fleet.handlers.iter());
    list(bytes, fleet.users.iter());
    list(bytes, fleet.keys_in_order.iter().map(|key| (key, &fleet.keys[key])));
}

fn list<T: Serialize>(bytes: &mut Vec<u8>, items: impl ExactSizeIterator<Item = T>) {
    put(bytes, &(items.len() as u64));
    items.for_each(|item| put(bytes, &item));
}

fn put<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) {
    bincode::serialize_into(bytes, value).expect("BUG: writing to memory cannot fail");
}
