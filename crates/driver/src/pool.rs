//! A pool of clients, by deadpool.

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};

use crate::{Client, Driver, Error};

/// A pool of clients. They share what servers said to any of them.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let driver = driver::Driver::new("host=h1,h2 user=alice dbname=shop".parse()?)?;
/// let pool = driver::pool::Pool::builder(driver::pool::Manager::new(driver)).max_size(16).build()?;
/// let count: i64 = pool.get().await?.query_one("SELECT count(*) FROM orders", &[]).await?.get(0);
/// # Ok(())
/// # }
/// ```
pub type Pool = managed::Pool<Manager>;

/// Makes clients for a [`Pool`].
#[derive(Clone)]
pub struct Manager {
    driver: Driver,
    source: Option<String>,
}

impl Manager {
    /// Clients of the configured database.
    pub fn new(driver: Driver) -> Manager {
        Manager { driver, source: None }
    }

    /// Clients of a logical name. When it leads elsewhere, those that are given back are closed, and new ones go there (R88).
    pub fn of_source(driver: Driver, source: impl Into<String>) -> Manager {
        Manager { driver, source: Some(source.into()) }
    }
}

impl managed::Manager for Manager {
    type Type = Client;
    type Error = Error;

    async fn create(&self) -> Result<Client, Error> {
        match &self.source {
            Some(source) => self.driver.connect_to(source).await,
            None => self.driver.connect().await,
        }
    }

    /// A client opens its session again by itself, so a broken one is no reason to throw it away.
    async fn recycle(&self, client: &mut Client, _: &Metrics) -> RecycleResult<Error> {
        match client.link().unfit() {
            Some(why) => Err(RecycleError::message(why)),
            None => Ok(()),
        }
    }
}
