//! Asks a database twice a second and prints what it sees: kill servers, move the database, and watch.
//!
//! `cargo run -p driver --example watch -- "host=127.0.0.1 port=5432 user=alice password=… dbname=shop"`

use std::time::{Duration, Instant};

use driver::{Config, Driver, Error};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let text = std::env::args().nth(1);
    let text = text.ok_or_else(|| Error::Config("give a connection string".into()))?;
    let driver = Driver::new(text.parse::<Config>()?)?;
    let client = driver.connect().await?;
    loop {
        let began = Instant::now();
        match client.query_one("SELECT count(*) FROM (SELECT 1) t", &[]).await {
            Ok(row) => {
                let count: i64 = row.get(0);
                println!("{} answered {count} in {} ms", client.address(), began.elapsed().as_millis());
            }
            Err(error) => println!("{error}; it may have had an effect: {:?}", error.effect()),
        }
        for information in driver.information() {
            println!("  {}: {}", information.topic, information.text);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
