//! The fleet: which server owns which database.
//!
//! [`Fleet::apply`] is the only function that changes it. It is cheap to clone: the large maps share structure, so a
//! snapshot is taken by cloning and encoded while writes go on.

mod adopting;
mod apply;
mod changes;
mod databases;
mod directives;
mod events;
mod forks;
mod keys;
mod pinning;
mod records;
mod restoring;
mod senders;
mod servers;

use std::collections::BTreeMap;

use imbl::{OrdMap, Vector};

pub use changes::{Change, Changes};
pub(crate) use keys::Keys;
pub use records::{Database, Handler, Server, ServerState, User};

use crate::{
    DatabaseId, DatabaseOptions, Epoch, EventLog, FleetId, Fork, HandlerId, Level, Name, Paused, Pending,
    PinnedTo, Revision, SenderRole, ServerId, Standing, Tenure, codec, name::NameKey,
};

/// The whole replicated state.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    pub(crate) id: Option<FleetId>,
    pub(crate) revision: Revision,
    pub(crate) level: Level,
    /// The last database id given.
    pub(crate) database_last: u64,
    pub(crate) databases: OrdMap<DatabaseId, Database>,
    pub(crate) names: OrdMap<NameKey, DatabaseId>,
    /// Options of those databases that have any that are not at their defaults.
    pub(crate) options: OrdMap<DatabaseId, DatabaseOptions>,
    /// Dropped databases whose journals are still to be purged, with the epoch to fence them at.
    pub(crate) dropped: BTreeMap<DatabaseId, Epoch>,
    /// Copies whose journals do not yet say what they are copies of; dropped ones until they are forgotten.
    pub(crate) forming: BTreeMap<DatabaseId, Fork>,
    pub(crate) servers: BTreeMap<ServerId, Server>,
    pub(crate) handlers: BTreeMap<HandlerId, Handler>,
    pub(crate) users: BTreeMap<Name, User>,
    /// What was created under an idempotency key.
    pub(crate) keys: Keys,
    /// What administrators tell clients.
    pub(crate) directives: BTreeMap<Name, Standing>,
    /// Who may do so.
    pub(crate) senders: BTreeMap<Name, SenderRole>,
    /// What waits for a second person.
    pub(crate) pending: BTreeMap<Name, Pending>,
    /// Where databases must be, for those of which that was said.
    pub(crate) pins: OrdMap<DatabaseId, PinnedTo>,
    /// Whether databases are moved for load and distance.
    pub(crate) paused: Option<Paused>,
    /// What happened lately. Not part of the digest: it tells how the map came to be, not what it is, and reaches back
    /// less far where the map came from a snapshot of an earlier release.
    pub(crate) events: EventLog,
    /// What changed lately. Not part of the digest: it starts empty after a snapshot.
    pub(crate) recent: Vector<(Revision, Change)>,
    /// The revision that `recent` reaches back to, exclusive.
    pub(crate) recent_since: Revision,
}

/// The fingerprint of a whole map at a revision: equal on all controllers at equal revisions (C14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Digest {
    /// What it is the digest at.
    pub revision: Revision,
    /// xxh3-128 of the encoded map, without the revision: a leader's empty entry does not change it.
    pub value: u128,
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.value)
    }
}

impl Fleet {
    /// The fleet's id; `None` until the first leader founded it.
    pub fn id(&self) -> Option<FleetId> {
        self.id
    }

    /// What all controllers know: nothing above it is in the log.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The last applied entry.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The entry at `revision` was a membership change or empty: nothing to apply, but time goes on.
    pub fn advance(&mut self, revision: Revision) {
        assert!(revision > self.revision, "BUG: revision {revision} applied after {}", self.revision);
        self.revision = revision;
    }

    /// The last id that a database was given; 0 when none was.
    pub fn database_last(&self) -> DatabaseId {
        DatabaseId(self.database_last)
    }

    /// A database by id.
    pub fn database(&self, id: DatabaseId) -> Option<&Database> {
        self.databases.get(&id)
    }

    /// A database's id by name.
    pub fn database_named(&self, name: &str) -> Option<DatabaseId> {
        self.names.get(&NameKey::sought(name)?).copied()
    }

    /// A database's options; the defaults when nobody ever set any.
    pub fn database_options(&self, id: DatabaseId) -> DatabaseOptions {
        self.options.get(&id).copied().unwrap_or_default()
    }

    /// All databases by name, those after `after` only.
    pub fn databases_after<'a>(
        &'a self,
        after: Option<&Name>,
    ) -> impl Iterator<Item = (DatabaseId, &'a Database)> + 'a {
        use std::ops::Bound;
        let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(NameKey::from(name)));
        self.names.range((from, Bound::Unbounded)).map(|(_, id)| (*id, &self.databases[id]))
    }

    /// All databases by id: the quickest way through all of them.
    pub fn databases(&self) -> impl ExactSizeIterator<Item = (DatabaseId, &Database)> {
        self.databases.iter().map(|(id, database)| (*id, database))
    }

    /// How many databases there are.
    pub fn databases_len(&self) -> usize {
        self.databases.len()
    }

    /// How many databases each server owns in its present life. Walks the whole map.
    pub fn databases_per_server(&self) -> BTreeMap<ServerId, u64> {
        let mut counts = BTreeMap::new();
        for owner in self.databases.values().filter_map(|database| self.live(database.owner)) {
            *counts.entry(owner.server).or_default() += 1;
        }
        counts
    }

    /// Who owns a database now: `None` when nobody does or its owner's life is over.
    pub fn owner(&self, id: DatabaseId) -> Option<(Tenure, &Server)> {
        let tenure = self.live(self.databases.get(&id)?.owner)?;
        Some((tenure, &self.servers[&tenure.server]))
    }

    /// Dropped databases whose journals are still to be purged, with the epoch that fences all owners before.
    pub fn dropped(&self) -> impl Iterator<Item = (DatabaseId, Epoch)> + '_ {
        self.dropped.iter().map(|(id, epoch)| (*id, *epoch))
    }

    /// A server by id.
    pub fn server(&self, id: ServerId) -> Option<&Server> {
        self.servers.get(&id)
    }

    /// A server by name.
    pub fn server_named(&self, name: &str) -> Option<(ServerId, &Server)> {
        self.servers.iter().find(|(_, server)| &*server.name == name).map(|(id, server)| (*id, server))
    }

    /// All servers.
    pub fn servers(&self) -> impl Iterator<Item = (ServerId, &Server)> {
        self.servers.iter().map(|(id, server)| (*id, server))
    }

    /// All handlers.
    pub fn handlers(&self) -> impl Iterator<Item = (HandlerId, &Handler)> {
        self.handlers.iter().map(|(id, handler)| (*id, handler))
    }

    /// A user by name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// All users by name.
    pub fn users(&self) -> impl Iterator<Item = (&Name, &User)> {
        self.users.iter()
    }

    /// The fingerprint of everything replicated.
    pub fn digest(&self) -> Digest {
        Digest { revision: self.revision, value: codec::fingerprint(self) }
    }

    /// The tenure, unless that life is over.
    fn live(&self, owner: Option<Tenure>) -> Option<Tenure> {
        owner.filter(|tenure| {
            self.servers.get(&tenure.server).is_some_and(|server| server.is_up_as(tenure.incarnation))
        })
    }
}

#[cfg(test)]
mod tests;
