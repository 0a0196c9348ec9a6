//! What processes say to each other.
//!
//! Four services over one transport: controllers answer [`controller`], servers answer [`server`] and, to operators, [`environment`], and
//! controllers speak Raft among themselves (its messages are the controller's own). Handlers and servers meet on the PostgreSQL
//! wire; what they add to it is in [`session`]. Every connection starts with a [`handshake`] that proves both ends
//! know the fleet's secret. Any byte stream carries it: sockets in production, a simulated network in tests.

pub mod backup;
pub mod conditions;
pub mod controller;
mod controllers;
pub mod directives;
pub mod environment;
mod error;
pub mod events;
pub mod handshake;
mod health;
mod host;
pub mod limits;
pub mod load;
mod net;
pub mod placement;
mod secret;
pub mod server;
pub mod session;
pub mod time_limit;
mod transport;

#[doc(hidden)]
pub use futures::StreamExt;
#[doc(hidden)]
pub use tarpc;

pub use controllers::Controllers;
pub use error::{Advice, Effect, Error, Refusal};
pub use handshake::Service;
pub use host::{Host, Readiness};
pub use net::{ByteStream, Dial, Either, LOCAL_PEER, Listen, TcpDial};
pub use secret::{Secret, SecretError};
#[doc(hidden)]
pub use transport::begin;
pub use transport::{Codec, Framing, Incoming, accept, connect, context, frame};

#[cfg(test)]
mod tests;
