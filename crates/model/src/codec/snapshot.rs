//! A map as plain lists, and back: checked, because a map that contradicts itself must never be served.

pub(super) mod write;

use std::collections::{BTreeMap, BTreeSet};

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::{Error, decode};
use crate::{
    Database, DatabaseId, DatabaseOption, DatabaseOptions, Epoch, Event, EventId, EventLog, Fleet, FleetId,
    Fork, Handler, HandlerId, IdempotencyKey, Level, Name, Paused, Pending, PinnedTo, Proposal, Revision,
    SenderRole, Server, ServerId, Standing, User,
    limits::{COUNTER_MAX, DIRECTIVE_BYTES_MAX, DIRECTIVES_MAX, NAME_BYTES_MAX, PENDING_MAX, SENDERS_MAX},
    name::NameKey,
};

/// Version 1. Plain lists, so that the encoding does not depend on any map type.
#[derive(Deserialize)]
pub(super) struct V1 {
    id: Option<FleetId>,
    revision: Revision,
    database_last: u64,
    databases: Vec<(DatabaseId, Database)>,
    dropped: Vec<(DatabaseId, Epoch)>,
    servers: Vec<(ServerId, Server)>,
    handlers: Vec<(HandlerId, Handler)>,
    users: Vec<(Name, User)>,
    keys: Vec<(IdempotencyKey, DatabaseId)>,
}

/// Version 2: the same, and the copies that are being made.
#[derive(Deserialize)]
pub(super) struct V2 {
    v1: V1,
    forming: Vec<(DatabaseId, Fork)>,
}

impl From<V1> for V2 {
    fn from(v1: V1) -> Self {
        Self { v1, forming: Vec::new() }
    }
}

/// Version 3: what version 2 had, and parts that can be added without a new version. An empty part is left out.
#[derive(Deserialize)]
pub(super) struct V3 {
    v2: V2,
    parts: Vec<Part>,
}

/// One part, by its number. The bytes are decoded by whoever knows that number, and refused when nobody does.
#[derive(Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) kind: u8,
    pub(super) bytes: Vec<u8>,
}

/// Events: `(EventId, Vec<Event>)`, up to where they are forgotten and those that are not.
const EVENTS: u8 = 2;

/// The map's [`Level`], if that is not the first.
const LEVEL: u8 = 3;

/// Options of databases: `Vec<(DatabaseId, Vec<DatabaseOption>)>`, those that are not at their defaults.
const OPTIONS: u8 = 1;

/// Directives: `Vec<(Name, Standing)>`.
const DIRECTIVES: u8 = 4;

/// Where databases must be: `Vec<(DatabaseId, PinnedTo)>`.
const PINS: u8 = 5;

/// That balancing is paused: `Vec<Paused>` of one.
const PAUSED: u8 = 6;

/// Who may send directives: `Vec<(Name, SenderRole)>`.
const SENDERS: u8 = 7;

/// What waits for a second person: `Vec<(Name, Pending)>`.
const PENDING: u8 = 8;

impl V3 {
    pub(super) fn build(self) -> Result<Fleet, Error> {
        let mut fleet = build(self.v2)?;
        rising("parts", self.parts.iter().map(|part| &part.kind))?;
        for Part { kind, bytes } in self.parts {
            match kind {
                OPTIONS => fleet.options = options(&fleet, decode("snapshot", &bytes)?)?,
                LEVEL => fleet.level = level(&decode::<Vec<Level>>("snapshot", &bytes)?)?,
                EVENTS => fleet.events = events(&fleet, decode("snapshot", &bytes)?)?,
                DIRECTIVES => fleet.directives = directives(decode("snapshot", &bytes)?)?,
                PINS => fleet.pins = pins(&fleet, decode("snapshot", &bytes)?)?,
                PAUSED => fleet.paused = Some(paused(decode("snapshot", &bytes)?)?),
                SENDERS => fleet.senders = senders(&fleet, decode("snapshot", &bytes)?)?,
                PENDING => fleet.pending = pending(decode("snapshot", &bytes)?)?,
                kind => return Err(Error::PartUnknown { kind }),
            }
        }
        Ok(fleet)
    }
}

fn events(fleet: &Fleet, (floor, list): (EventId, Vec<Event>)) -> Result<EventLog, Error> {
    rising("events", list.iter().map(|event| &event.id))?;
    let last = list.last().map_or(floor, |event| event.id);
    if list.first().is_some_and(|first| first.id <= floor) || last.revision > fleet.revision {
        return contradiction(format!("events up to {last}, forgotten up to {floor}, at {}", fleet.revision));
    }
    Ok(EventLog::from_parts(floor, list))
}

fn directives(list: Vec<(Name, Standing)>) -> Result<BTreeMap<Name, Standing>, Error> {
    rising("directives", list.iter().map(|(id, _)| id))?;
    let too_long = |(_, standing): &&(Name, Standing)| standing.directive.text.len() > DIRECTIVE_BYTES_MAX;
    match list.iter().find(too_long) {
        Some((id, _)) => contradiction(format!("directive {id} is too long")),
        None if list.is_empty() || list.len() > DIRECTIVES_MAX => {
            contradiction(format!("{} directives", list.len()))
        }
        None => Ok(list.into_iter().collect()),
    }
}

fn senders(fleet: &Fleet, list: Vec<(Name, SenderRole)>) -> Result<BTreeMap<Name, SenderRole>, Error> {
    rising("senders", list.iter().map(|(user, _)| user))?;
    match list.iter().find(|(user, _)| !fleet.users.contains_key(user)) {
        Some((user, _)) => contradiction(format!("{user} may send directives and is no user")),
        None if list.is_empty() || list.len() > SENDERS_MAX => {
            contradiction(format!("{} senders", list.len()))
        }
        None => Ok(list.into_iter().collect()),
    }
}

fn pending(list: Vec<(Name, Pending)>) -> Result<BTreeMap<Name, Pending>, Error> {
    rising("what is pending", list.iter().map(|(id, _)| id))?;
    let too_long = |(_, pending): &&(Name, Pending)| match &pending.proposal {
        Proposal::Directive(directive) => directive.text.len() > DIRECTIVE_BYTES_MAX,
        Proposal::Sender { .. } | Proposal::Withdrawn => false,
    };
    match list.iter().find(too_long) {
        Some((id, _)) => contradiction(format!("directive {id} is too long")),
        None if list.is_empty() || list.len() > PENDING_MAX => {
            contradiction(format!("{} things wait for approval", list.len()))
        }
        None => Ok(list.into_iter().collect()),
    }
}

fn pins(fleet: &Fleet, list: Vec<(DatabaseId, PinnedTo)>) -> Result<OrdMap<DatabaseId, PinnedTo>, Error> {
    rising("pins", list.iter().map(|(id, _)| id))?;
    let wrong = |(id, pin): &&(DatabaseId, PinnedTo)| {
        let fits = match pin {
            PinnedTo::Server(server) => fleet.server(*server).is_some(),
            PinnedTo::Location(location) => location.len() <= NAME_BYTES_MAX,
        };
        fleet.database(*id).is_none() || !fits
    };
    match list.iter().find(wrong) {
        Some((id, pin)) => contradiction(format!("{id} cannot be pinned to {pin:?}")),
        None if list.is_empty() => contradiction("no pins".into()),
        None => Ok(list.into_iter().collect()),
    }
}

fn paused(list: Vec<Paused>) -> Result<Paused, Error> {
    match <[Paused; 1]>::try_from(list) {
        Ok([paused]) => Ok(paused),
        Err(list) => contradiction(format!("balancing is paused {} times", list.len())),
    }
}

fn level(list: &[Level]) -> Result<Level, Error> {
    match list {
        [level] if *level > Level::FIRST => Ok(*level),
        _ => contradiction(format!("{list:?} is not its level")),
    }
}

fn options(
    fleet: &Fleet,
    list: Vec<(DatabaseId, Vec<DatabaseOption>)>,
) -> Result<OrdMap<DatabaseId, DatabaseOptions>, Error> {
    rising("options", list.iter().map(|(id, _)| id))?;
    let read = |(id, set): (DatabaseId, Vec<DatabaseOption>)| {
        let mut options = DatabaseOptions::default();
        set.iter().for_each(|option| options.set(*option));
        if fleet.database(id).is_none() || options.set_ones() != set || set.is_empty() {
            return contradiction(format!("{id} cannot have the options {set:?}"));
        }
        Ok((id, options))
    };
    list.into_iter().map(read).collect()
}

pub(super) fn build(V2 { v1: flat, forming }: V2) -> Result<Fleet, Error> {
    check(&flat)?;
    check_forming(&flat, &forming)?;
    Ok(Fleet {
        id: flat.id,
        revision: flat.revision,
        recent_since: flat.revision,
        // Nothing is known of what happened before; a part may say otherwise.
        events: EventLog::from_parts(EventId::end_of(flat.revision), Vec::new()),
        database_last: flat.database_last,
        names: names(&flat.databases)?.into_iter().collect(),
        databases: flat.databases.into_iter().collect(),
        dropped: flat.dropped.into_iter().collect(),
        forming: forming.into_iter().collect(),
        servers: flat.servers.into_iter().collect(),
        handlers: flat.handlers.into_iter().collect(),
        users: flat.users.into_iter().collect(),
        keys: flat.keys.into_iter().collect(),
        ..Fleet::default()
    })
}

/// The index by name, in order: a tree is built several times faster from sorted keys.
fn names(databases: &[(DatabaseId, Database)]) -> Result<Vec<(NameKey, DatabaseId)>, Error> {
    let mut names: Vec<_> =
        databases.iter().map(|(id, database)| (NameKey::from(&database.name), *id)).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => {
            let (one, other) = (pair[0].1, pair[1].1);
            let name = databases.iter().find(|(id, _)| *id == one).map(|(_, database)| &database.name);
            let name = name.expect("BUG: the pairs are of these databases");
            contradiction(format!("{one} and {other} are both named {name}"))
        }
        None => Ok(names),
    }
}

fn check(flat: &V1) -> Result<(), Error> {
    rising("databases", flat.databases.iter().map(|(id, _)| id))?;
    rising("dropped databases", flat.dropped.iter().map(|(id, _)| id))?;
    rising("servers", flat.servers.iter().map(|(id, _)| id))?;
    rising("handlers", flat.handlers.iter().map(|(id, _)| id))?;
    rising("users", flat.users.iter().map(|(name, _)| name))?;
    differ("servers", flat.servers.iter().map(|(_, server)| &server.name))?;
    differ("handlers", flat.handlers.iter().map(|(_, handler)| &handler.name))?;
    differ("idempotency keys", flat.keys.iter().map(|(key, _)| key))?;
    let epochs = flat.databases.iter().map(|(_, database)| database.epoch);
    let mut epochs = epochs.chain(flat.dropped.iter().map(|(_, epoch)| *epoch));
    if flat.revision.0 > COUNTER_MAX || epochs.any(|epoch| epoch.0 > COUNTER_MAX) {
        return contradiction(format!("a revision or an epoch is above {COUNTER_MAX}"));
    }
    let given = flat.databases.iter().map(|(id, _)| id);
    let given = given.chain(flat.dropped.iter().map(|(id, _)| id)).chain(flat.keys.iter().map(|(_, id)| id));
    if let Some(id) = given.copied().find(|id| !(1..=flat.database_last).contains(&id.0)) {
        return contradiction(format!("{id} was never given"));
    }
    let dropped: BTreeSet<_> = flat.dropped.iter().map(|(id, _)| id).collect();
    match flat.databases.iter().find(|(id, _)| dropped.contains(id)) {
        Some((id, _)) => contradiction(format!("{id} is there and dropped")),
        None => Ok(()),
    }
}

/// A copy that is being made is there, or dropped and not forgotten yet. While it is there, its parent is, too, and is
/// no such copy itself.
fn check_forming(flat: &V1, forming: &[(DatabaseId, Fork)]) -> Result<(), Error> {
    rising("forming databases", forming.iter().map(|(id, _)| id))?;
    let there = |id| flat.databases.binary_search_by_key(&id, |(id, _)| *id).is_ok();
    let owned = |id| {
        let at = flat.databases.binary_search_by_key(&id, |(id, _)| *id);
        at.is_ok_and(|at| flat.databases[at].1.owner.is_some())
    };
    let forms = |id| forming.binary_search_by_key(&id, |(id, _)| *id).is_ok();
    for (id, Fork { parent, .. }) in forming {
        if there(*id) && (!there(*parent) || forms(*parent)) {
            return contradiction(format!("{id} is to be a copy of {parent}, which cannot be copied"));
        }
        if owned(*id) {
            return contradiction(format!("{id} is being made and has an owner"));
        }
        if !there(*id) && flat.dropped.binary_search_by_key(id, |(id, _)| *id).is_err() {
            return contradiction(format!("{id} is being made and not there"));
        }
    }
    Ok(())
}

/// Lists come from ordered maps: a list out of order, or with something twice, was not written by us.
fn rising<'a, T: Ord + 'a>(what: &str, list: impl Iterator<Item = &'a T>) -> Result<(), Error> {
    if list.is_sorted_by(|a, b| a < b) { Ok(()) } else { contradiction(format!("{what} are out of order")) }
}

fn differ<'a, T: Ord + 'a>(what: &str, mut list: impl Iterator<Item = &'a T>) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    if list.all(|item| seen.insert(item)) {
        Ok(())
    } else {
        contradiction(format!("two {what} are the same"))
    }
}

fn contradiction<T>(reason: String) -> Result<T, Error> {
    Err(Error::Contradiction { reason })
}

#[cfg(test)]
mod tests;
