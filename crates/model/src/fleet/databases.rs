//! Databases: made, renamed, dropped, given to servers and taken from them.

use super::{Change, Database, Fleet};
use crate::{
    DatabaseId, Epoch, IdempotencyKey, Name, Outcome, Rejection, Tenure,
    limits::{IDEMPOTENCY_KEYS_MAX, RESTORE_ID_SKIP},
};

/// The name of the admin console, which no database may have.
const ADMIN_CONSOLE: &str = "stationmaster";

impl Fleet {
    pub(super) fn create_database(
        &mut self,
        name: &Name,
        owner: Option<Tenure>,
        key: Option<IdempotencyKey>,
    ) -> Result<Outcome, Rejection> {
        if let Some(outcome) = key.and_then(|key| self.created_under(key, name)) {
            return Ok(outcome);
        }
        self.free(name)?;
        if let Some(tenure) = owner {
            self.up(tenure)?;
        }
        self.database_last += 1;
        let id = DatabaseId(self.database_last);
        let epoch = if owner.is_some() { Epoch(1) } else { Epoch(0) };
        self.names.insert(name.clone(), id);
        self.databases.insert(id, Database { name: name.clone(), epoch, owner });
        if let Some(key) = key {
            self.remember(key, id);
        }
        self.note(Change::Database(id));
        Ok(Outcome::Database { database: id, epoch })
    }

    pub(super) fn rename_database(&mut self, id: DatabaseId, name: &Name) -> Result<Outcome, Rejection> {
        let old = self.known(id)?.name.clone();
        if old == *name {
            return Ok(Outcome::Done);
        }
        self.free(name)?;
        self.names.remove(&old);
        self.names.insert(name.clone(), id);
        self.databases.get_mut(&id).expect("BUG: known above").name = name.clone();
        self.note(Change::Database(id));
        Ok(Outcome::Done)
    }

    pub(super) fn drop_database(&mut self, id: DatabaseId) -> Result<Outcome, Rejection> {
        let database = self.known(id)?.clone();
        self.names.remove(&database.name);
        self.databases.remove(&id);
        self.dropped.insert(id, database.epoch.next());
        self.note(Change::Database(id));
        Ok(Outcome::Done)
    }

    pub(super) fn forget_database(&mut self, id: DatabaseId) -> Result<Outcome, Rejection> {
        self.dropped.remove(&id).map(|_| Outcome::Done).ok_or(Rejection::DatabaseUnknown { database: id })
    }

    pub(super) fn assign_database(
        &mut self,
        id: DatabaseId,
        expected: Epoch,
        to: Tenure,
    ) -> Result<Outcome, Rejection> {
        self.up(to)?;
        self.change_owner(id, expected, Some(to))
    }

    pub(super) fn unassign_database(
        &mut self,
        id: DatabaseId,
        expected: Epoch,
    ) -> Result<Outcome, Rejection> {
        self.change_owner(id, expected, None)
    }

    /// Makes sure that no id given after the backup was taken is ever given again.
    pub fn skip_ids_after_restore(&mut self) {
        self.database_last += RESTORE_ID_SKIP;
    }

    fn change_owner(
        &mut self,
        id: DatabaseId,
        expected: Epoch,
        owner: Option<Tenure>,
    ) -> Result<Outcome, Rejection> {
        let epoch = self.known(id)?.epoch;
        if epoch != expected {
            return Err(Rejection::EpochStale { database: id, epoch_expected: expected, epoch });
        }
        let database = self.databases.get_mut(&id).expect("BUG: known above");
        database.epoch = epoch.next();
        database.owner = owner;
        let epoch = database.epoch;
        self.note(Change::Database(id));
        Ok(Outcome::Database { database: id, epoch })
    }

    fn known(&self, id: DatabaseId) -> Result<&Database, Rejection> {
        self.databases.get(&id).ok_or(Rejection::DatabaseUnknown { database: id })
    }

    fn up(&self, tenure: Tenure) -> Result<(), Rejection> {
        let Tenure { server, incarnation } = tenure;
        let record = self.servers.get(&server).ok_or(Rejection::ServerUnknown { server })?;
        if record.is_up_as(incarnation) {
            Ok(())
        } else {
            Err(Rejection::ServerNotUp { server, incarnation })
        }
    }

    fn free(&self, name: &Name) -> Result<(), Rejection> {
        if &**name == ADMIN_CONSOLE || name.parse::<DatabaseId>().is_ok() {
            return Err(Rejection::NameReserved { name: name.clone() });
        }
        match self.names.get(name) {
            Some(database) => Err(Rejection::NameTaken { name: name.clone(), database: *database }),
            None => Ok(()),
        }
    }

    /// What an earlier create with this key made, if it still goes by that name.
    fn created_under(&self, key: IdempotencyKey, name: &Name) -> Option<Outcome> {
        let database = *self.keys.get(&key)?;
        let record = self.databases.get(&database).filter(|record| record.name == *name)?;
        Some(Outcome::Database { database, epoch: record.epoch })
    }

    fn remember(&mut self, key: IdempotencyKey, id: DatabaseId) {
        if self.keys.insert(key, id).is_none() {
            self.keys_in_order.push_back(key);
        }
        if self.keys_in_order.len() > IDEMPOTENCY_KEYS_MAX {
            let oldest = self.keys_in_order.pop_front().expect("BUG: just pushed");
            self.keys.remove(&oldest);
        }
    }
}
