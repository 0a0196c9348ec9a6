//! Databases: made, renamed, dropped, given to servers and taken from them.

use super::{Change, Database, Fleet, ServerState};
use crate::{
    DatabaseId, DatabaseOption, DatabaseOptions, Epoch, IdempotencyKey, Name, Outcome, Rejection, Tenure,
    command::IdKind, name::NameKey,
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
        if let Some(database) = key.and_then(|key| self.keys.get(key)) {
            return self.created_before(database);
        }
        self.free(name)?;
        if let Some(tenure) = owner {
            self.takes_databases(tenure)?;
        }
        let epoch = if owner.is_some() { Epoch(1) } else { Epoch(0) };
        let id = self.add_database(Database { name: name.clone(), epoch, owner }, key)?;
        Ok(Outcome::Database { database: id, epoch })
    }

    /// Gives a database its id, under a name that is free.
    pub(super) fn add_database(
        &mut self,
        database: Database,
        key: Option<IdempotencyKey>,
    ) -> Result<DatabaseId, Rejection> {
        let id = self.next_database()?;
        self.database_last = id.0;
        self.put_database(id, database, key);
        Ok(id)
    }

    /// Makes a database under an id that is given already.
    pub(super) fn put_database(&mut self, id: DatabaseId, database: Database, key: Option<IdempotencyKey>) {
        self.names.insert(NameKey::from(&database.name), id);
        self.databases.insert(id, database);
        if let Some(key) = key {
            self.keys.remember(key, id);
        }
        self.note(Change::Database(id));
    }

    pub(super) fn rename_database(&mut self, id: DatabaseId, name: &Name) -> Result<Outcome, Rejection> {
        let old = self.known(id)?.name.clone();
        if old == *name {
            return Ok(Outcome::Done);
        }
        self.free(name)?;
        self.names.remove(&NameKey::from(&old));
        self.names.insert(NameKey::from(name), id);
        self.databases.get_mut(&id).expect("BUG: known above").name = name.clone();
        self.note(Change::Database(id));
        Ok(Outcome::Done)
    }

    pub(super) fn drop_database(&mut self, id: DatabaseId) -> Result<Outcome, Rejection> {
        let database = self.known(id)?.clone();
        self.not_being_copied(id)?;
        self.names.remove(&NameKey::from(&database.name));
        self.databases.remove(&id);
        self.options.remove(&id);
        self.pins.remove(&id);
        self.dropped.insert(id, database.epoch.next());
        self.note(Change::Database(id));
        Ok(Outcome::Done)
    }

    pub(super) fn forget_database(&mut self, id: DatabaseId) -> Result<Outcome, Rejection> {
        self.dropped.remove(&id).ok_or(Rejection::DatabaseUnknown { database: id })?;
        self.forming.remove(&id);
        Ok(Outcome::Done)
    }

    pub(super) fn set_database_options(
        &mut self,
        id: DatabaseId,
        changes: &[DatabaseOption],
    ) -> Result<Outcome, Rejection> {
        self.known(id)?;
        let before = self.database_options(id);
        let mut options = before;
        changes.iter().for_each(|option| options.set(*option));
        if options == DatabaseOptions::default() {
            self.options.remove(&id);
        } else {
            self.options.insert(id, options);
        }
        if options != before {
            self.note(Change::Database(id));
        }
        Ok(Outcome::Done)
    }

    pub(super) fn assign_database(
        &mut self,
        id: DatabaseId,
        expected: Epoch,
        to: Tenure,
    ) -> Result<Outcome, Rejection> {
        self.takes_databases(to)?;
        self.formed(id)?;
        self.change_owner(id, expected, Some(to))
    }

    pub(super) fn unassign_database(
        &mut self,
        id: DatabaseId,
        expected: Epoch,
    ) -> Result<Outcome, Rejection> {
        self.change_owner(id, expected, None)
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

    pub(super) fn next_database(&self) -> Result<DatabaseId, Rejection> {
        let next = self.database_last.checked_add(1).map(DatabaseId);
        next.ok_or(Rejection::IdsExhausted { what: IdKind::Database })
    }

    pub(super) fn known(&self, id: DatabaseId) -> Result<&Database, Rejection> {
        self.databases.get(&id).ok_or(Rejection::DatabaseUnknown { database: id })
    }

    fn takes_databases(&self, tenure: Tenure) -> Result<(), Rejection> {
        let Tenure { server, incarnation } = tenure;
        let record = self.servers.get(&server).ok_or(Rejection::ServerUnknown { server })?;
        match record.state {
            ServerState::Up if record.incarnation == incarnation => Ok(()),
            ServerState::Draining if record.incarnation == incarnation => {
                Err(Rejection::ServerDraining { server })
            }
            ServerState::Up | ServerState::Draining | ServerState::Down => {
                Err(Rejection::ServerNotUp { server, incarnation })
            }
        }
    }

    pub(super) fn free(&self, name: &Name) -> Result<(), Rejection> {
        if &**name == ADMIN_CONSOLE || name.parse::<DatabaseId>().is_ok() {
            return Err(Rejection::NameReserved { name: name.clone() });
        }
        match self.names.get(&NameKey::from(name)) {
            Some(database) => Err(Rejection::NameTaken { name: name.clone(), database: *database }),
            None => Ok(()),
        }
    }

    /// The answer to a create that was done before: the same database, whatever became of it since. Never a second one.
    pub(super) fn created_before(&self, database: DatabaseId) -> Result<Outcome, Rejection> {
        Ok(Outcome::Database { database, epoch: self.known(database)?.epoch })
    }
}
