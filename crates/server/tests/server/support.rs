//! What the tests of the server stand on.

pub mod client;
pub mod controllers;
pub mod fleet;
pub mod machine;
pub mod net;
pub mod numbered;
pub mod store;
pub mod toy;

use std::time::Duration;

/// Waits until `done` says so; fails with what it said last after half a minute.
pub async fn eventually<T: std::fmt::Debug>(what: &str, mut done: impl AsyncFnMut() -> Result<(), T>) {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        match done().await {
            Ok(()) => return,
            Err(last) if tokio::time::Instant::now() > end => panic!("{what}: still {last:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
