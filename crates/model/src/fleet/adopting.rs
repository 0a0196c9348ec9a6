//! Databases whose journals are there before the map knows of them: taken over from elsewhere, or from a map that was
//! lost.
//!
//! An id is reserved first, and the journal written under it; nobody can ask for what has no name. The entry that gives
//! it one is the last step, so a break before it leaves an id that nobody uses.

use super::{Database, Fleet};
use crate::{DatabaseId, Epoch, IdempotencyKey, Name, Outcome, Rejection, limits::COUNTER_MAX};

impl Fleet {
    pub(super) fn reserve_database(&mut self, key: IdempotencyKey) -> Result<Outcome, Rejection> {
        let database = match self.keys.get(key) {
            Some(database) => database,
            None => {
                let database = self.next_database()?;
                self.database_last = database.0;
                self.keys.remember(key, database);
                database
            }
        };
        let epoch = self.database(database).map_or(Epoch(0), |database| database.epoch);
        Ok(Outcome::Database { database, epoch })
    }

    pub(super) fn adopt_database(
        &mut self,
        id: DatabaseId,
        name: &Name,
        epoch: Epoch,
    ) -> Result<Outcome, Rejection> {
        if let Some(known) = self.databases.get(&id) {
            return match known.name == *name {
                true => Ok(Outcome::Database { database: id, epoch: known.epoch }),
                false => Err(Rejection::DatabaseKnown { database: id, name: known.name.clone() }),
            };
        }
        let given = (1..=self.database_last).contains(&id.0);
        if !given || epoch.0 > COUNTER_MAX / 2 || self.dropped.contains_key(&id) {
            return Err(Rejection::CannotAdopt { database: id });
        }
        self.free(name)?;
        self.put_database(id, Database { name: name.clone(), epoch, owner: None }, None);
        Ok(Outcome::Database { database: id, epoch })
    }
}
