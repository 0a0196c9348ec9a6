//! A map as plain lists, and back: checked, because a map that contradicts itself must never be served.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::{
    Database, DatabaseId, Epoch, Fleet, FleetId, Handler, HandlerId, IdempotencyKey, Name, Revision, Server,
    ServerId, User, limits::COUNTER_MAX,
};

/// Version 1. Plain lists, so that the encoding does not depend on any map type.
#[derive(Serialize, Deserialize)]
pub(super) struct V1 {
    id: Option<FleetId>,
    pub(super) revision: Revision,
    database_last: u64,
    databases: Vec<(DatabaseId, Database)>,
    dropped: Vec<(DatabaseId, Epoch)>,
    servers: Vec<(ServerId, Server)>,
    handlers: Vec<(HandlerId, Handler)>,
    users: Vec<(Name, User)>,
    keys: Vec<(IdempotencyKey, DatabaseId)>,
}

pub(super) fn flatten(fleet: &Fleet) -> V1 {
    V1 {
        id: fleet.id,
        revision: fleet.revision,
        database_last: fleet.database_last,
        databases: fleet.databases.iter().map(|(id, database)| (*id, database.clone())).collect(),
        dropped: fleet.dropped().collect(),
        servers: fleet.servers.clone().into_iter().collect(),
        handlers: fleet.handlers.clone().into_iter().collect(),
        users: fleet.users.clone().into_iter().collect(),
        keys: fleet.keys_in_order.iter().map(|key| (*key, fleet.keys[key])).collect(),
    }
}

pub(super) fn build(flat: V1) -> Result<Fleet, Error> {
    check(&flat)?;
    Ok(Fleet {
        id: flat.id,
        revision: flat.revision,
        recent_since: flat.revision,
        database_last: flat.database_last,
        names: names(&flat.databases)?.into_iter().collect(),
        databases: flat.databases.into_iter().collect(),
        dropped: flat.dropped.into_iter().collect(),
        servers: flat.servers.into_iter().collect(),
        handlers: flat.handlers.into_iter().collect(),
        users: flat.users.into_iter().collect(),
        keys_in_order: flat.keys.iter().map(|(key, _)| *key).collect(),
        keys: flat.keys.into_iter().collect(),
        ..Fleet::default()
    })
}

/// The index by name, in order: a tree is built several times faster from sorted keys.
fn names(databases: &[(DatabaseId, Database)]) -> Result<Vec<(Name, DatabaseId)>, Error> {
    let mut names: Vec<_> = databases.iter().map(|(id, database)| (database.name.clone(), *id)).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => {
            let (name, one, other) = (&pair[0].0, pair[0].1, pair[1].1);
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
