//! A client of PostgreSQL servers that gets over failures by itself, and does what servers ask of it as far as its
//! owner allows. Used like tokio-postgres.
//!
//! Four units, each its own file: the protocol layer ([`protocol`](self), tokio-postgres over watched sockets), the reader that takes
//! directives out of what servers say (`reader`), the processor that keeps their state (`processor`), and
//! the API ([`Driver`], [`Client`], [`Transaction`], [`Statement`]).
//!
//! What breaks is decided by pure functions (`recovery`), and acted upon in one place (`link`).
//! What this driver never does: run code that a server sent, send data where its owner has not said, or repeat a write
//! that may have taken effect.

mod client;
mod config;
mod driver;
mod error;
mod fan_out;
mod link;
mod memory;
mod meter;
#[cfg(feature = "deadpool")]
pub mod pool;
mod processor;
mod protocol;
mod reader;
mod recovery;
mod requests;
pub mod routines;
mod session;
mod statement;
mod telemetry;
mod transaction;
mod view;
mod work;

pub use client::Client;
pub use config::{Config, Destination};
pub use directive::{Policy, action};
pub use driver::{ClientStatus, Driver, Status};
pub use error::{Advice, Effect, Error};
pub use fan_out::FanOut;
pub use meter::Counts;
pub use protocol::Watched;
pub use statement::{Source, Sql, Statement};
pub use tokio_postgres::{Column, IsolationLevel, Row, SimpleQueryMessage, types};
pub use transaction::{Transaction, TransactionBuilder};
pub use view::View;

/// Opens one client, without TLS: the same connection string as for tokio-postgres.
///
/// # Errors
/// [`Error::Config`] for a connection string that cannot be read; else as [`Driver::connect`].
pub async fn connect(config: &str) -> Result<Client, Error> {
    Driver::new(config.parse()?)?.connect().await
}
