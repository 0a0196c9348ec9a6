//! Copies: made in the map first, usable once their journals say what they are copies of.
//!
//! What goes on in between is the leader's business: the map says what is to be done, so the next leader goes on.

use super::{Change, Database, Fleet};
use crate::{DatabaseId, Epoch, Fork, IdempotencyKey, Name, Outcome, Rejection};

impl Fleet {
    /// The copies that are still being made.
    pub fn forming(&self) -> impl Iterator<Item = (DatabaseId, Fork)> + '_ {
        let live = self.forming.iter().filter(|(id, _)| self.databases.contains_key(*id));
        live.map(|(id, fork)| (*id, *fork))
    }

    /// What a database is to be a copy of, if it is still being made, or was when it was dropped.
    pub fn fork(&self, id: DatabaseId) -> Option<Fork> {
        self.forming.get(&id).copied()
    }

    pub(super) fn fork_database(
        &mut self,
        name: &Name,
        fork: Fork,
        key: Option<IdempotencyKey>,
    ) -> Result<Outcome, Rejection> {
        if let Some(database) = key.and_then(|key| self.keys.get(key)) {
            return self.created_before(database);
        }
        self.known(fork.parent)?;
        self.formed(fork.parent)?;
        self.free(name)?;
        let epoch = Epoch(0);
        let id = self.add_database(Database { name: name.clone(), epoch, owner: None }, key)?;
        self.forming.insert(id, fork);
        Ok(Outcome::Database { database: id, epoch })
    }

    pub(super) fn form_database(&mut self, id: DatabaseId) -> Result<Outcome, Rejection> {
        self.known(id)?;
        if self.forming.remove(&id).is_some() {
            self.note(Change::Database(id));
        }
        Ok(Outcome::Done)
    }

    pub(super) fn abandon_database(&mut self, id: DatabaseId) -> Result<Outcome, Rejection> {
        self.known(id)?;
        match self.forming.contains_key(&id) {
            true => self.drop_database(id),
            false => Err(Rejection::DatabaseFormed { database: id }),
        }
    }

    /// Refuses a copy that is still being made.
    pub(super) fn formed(&self, id: DatabaseId) -> Result<(), Rejection> {
        match self.forming.contains_key(&id) {
            true => Err(Rejection::DatabaseForming { database: id }),
            false => Ok(()),
        }
    }

    /// Refuses a database that is being copied.
    pub(super) fn not_being_copied(&self, id: DatabaseId) -> Result<(), Rejection> {
        match self.forming().find(|(_, fork)| fork.parent == id) {
            Some((copy, _)) => Err(Rejection::DatabaseCopied { database: id, copy }),
            None => Ok(()),
        }
    }
}
