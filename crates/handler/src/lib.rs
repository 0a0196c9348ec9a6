//! The PostgreSQL front door.
//!
//! A handler authenticates clients, finds the server that owns their database, and relays: whole chunks in both
//! directions, looking at frame headers and at little else. It holds no data and no truth: its routes may be stale,
//! because servers refuse by epoch, and any handler serves any database. What it does itself: log-ins, cancel
//! requests, statements about databases, and keeping clients from noticing that a server is gone where that is safe.
//!
//! It refuses to guess: a request that may have taken effect is sent again only when the next owner has said that it was
//! not done.

mod admin;
mod answering;
mod backend;
mod cancel;
mod clients;
mod connection;
pub mod console;
mod directives;
mod door;
mod error;
mod failure;
mod fleet;
mod handler;
mod held;
mod limits;
mod link;
mod local;
mod login;
#[doc(hidden)]
pub mod measure;
mod metrics;
mod run;
mod session;
mod sessions;
mod settings;
mod sql;
mod threads;
mod tls;

pub use clients::{Locations, Network, NetworkError};
pub use error::Error;
pub use run::run;
pub use settings::Settings;
pub use tls::{Tls, TlsError, TlsFiles};

#[cfg(test)]
mod tests;
