//! The driver against scripted servers: every behaviour by the number of its requirement.

mod caching;
mod collecting;
mod holding;
mod hostile;
mod knowing;
mod places;
mod retrying;
mod support;
mod switching;

use std::time::Duration;

use driver::{Client, Config, Driver};

use support::{Reply, Server, frame, until};

/// Longer than any test takes on a slow machine.
const LONG: Duration = Duration::from_secs(120);

fn config(server: &Server) -> Config {
    let config: Config = server.config().parse().expect("a connection string");
    Config { call_timeout: LONG, ..config }
}

async fn connect(server: &Server) -> (Driver, Client) {
    let driver = Driver::new(config(server)).expect("a driver");
    let client = driver.connect().await.expect("connected");
    (driver, client)
}

async fn ask(client: &Client, sql: &str) -> Result<String, driver::Error> {
    client.query_one(sql, &[]).await.map(|row| row.get(0))
}
