//! The protocol layer: connections of tokio-postgres over sockets of our own, so that nothing is connected to without
//! having been asked for, and what passes can be watched.

mod address;
mod dial;
mod tap;
mod watch;

pub(crate) use address::{Address, addresses};
pub use dial::Watched;
pub(crate) use dial::{Dial, DialError, Messages, Plain, Tls};
pub(crate) use watch::{Ended, Watch};
