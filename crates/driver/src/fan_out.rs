//! Queries over a table whose rows are spread over several databases, by a map that servers push (R86).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use directive::action::FanOut as Map;
use futures::future::try_join_all;
use tokio::sync::Mutex;
use tokio_postgres::{Row, types::ToSql};

use crate::{Client, Driver, Error, Sql};

/// How often a query is planned again because its map was replaced while it ran.
const PLANS_MAX: u32 = 5;

/// A table in parts. Cheap to clone.
#[derive(Clone)]
pub struct FanOut {
    driver: Driver,
    table: String,
    clients: Arc<Mutex<BTreeMap<String, Client>>>,
}

impl FanOut {
    pub(crate) fn new(driver: Driver, table: &str) -> FanOut {
        FanOut { driver, table: table.to_owned(), clients: Arc::default() }
    }

    /// The version of the map in force.
    ///
    /// # Errors
    /// [`Error::Unknown`] where there is none.
    pub fn version(&self) -> Result<u64, Error> {
        self.map().map(|map| map.version)
    }

    /// The client of the database that has the row of that key, by the map of that version.
    ///
    /// # Errors
    /// [`Error::StaleMap`] when another version is in force: ask for the present one and plan again.
    pub async fn locate(&self, key: &str, version: u64) -> Result<Client, Error> {
        let map = self.map()?;
        self.check(&map, version)?;
        self.client(map.database(key)).await
    }

    /// The rows of all parts, in the order of the parts' databases. Planned again if the map is replaced meanwhile,
    /// so that no row is missed or met twice. `statement` must only read.
    ///
    /// # Errors
    /// [`Error::StaleMap`] when the map does not stop changing; else as [`Client::query`].
    pub async fn query<S>(&self, statement: &S, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error>
    where
        S: ?Sized + Sql,
    {
        let mut plans = 0;
        loop {
            let map = self.map()?;
            let databases: BTreeSet<_> = map.parts.iter().map(|part| part.database.as_str()).collect();
            let parts = databases.into_iter().map(async |database| {
                let client = self.client(database).await?;
                client.query(statement, params).await
            });
            let rows = try_join_all(parts).await?;
            plans += 1;
            match self.check(&self.map()?, map.version) {
                Ok(()) => return Ok(rows.into_iter().flatten().collect()),
                Err(error) if plans == PLANS_MAX => return Err(error),
                Err(_) => {}
            }
        }
    }

    fn map(&self) -> Result<Map, Error> {
        self.driver
            .map(&self.table)
            .ok_or_else(|| Error::Unknown { what: "a map of", name: self.table.clone() })
    }

    fn check(&self, map: &Map, given: u64) -> Result<(), Error> {
        if map.version == given {
            return Ok(());
        }
        Err(Error::StaleMap { table: self.table.clone(), given, present: map.version })
    }

    async fn client(&self, database: &str) -> Result<Client, Error> {
        let mut clients = self.clients.lock().await;
        if let Some(client) = clients.get(database) {
            return Ok(client.clone());
        }
        let client = self.driver.connect_to_database(database).await?;
        clients.insert(database.to_owned(), client.clone());
        Ok(client)
    }
}
