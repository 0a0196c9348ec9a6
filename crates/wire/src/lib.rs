//! The PostgreSQL v3 wire protocol: frames, start-up packets, message bodies and SCRAM, without any IO.
//!
//! * [`frame`] finds where a message begins and ends; a relay needs nothing else.
//! * [`startup`] reads and writes the packets before the first message, which have no tag.
//! * [`frontend`] is what a client sends, [`backend`] what a server sends, each in both directions.
//! * [`scram`] proves a password from a stored verifier, or to a server.
//!
//! Decoders borrow from their input and see one message's body only, which they must use up to its last byte:
//! a wrong count inside one message can never reach into the next.
//! Nothing is allocated because a message says so, and nothing here panics on what a peer sent.
//! Encoders append to a `BytesMut`; one that fails leaves it as it was.
//!
//! Not here: sockets, time-outs, sessions, and what a message means.

pub mod backend;
pub mod error;
pub mod frame;
pub mod frontend;
pub mod limits;
pub mod list;
pub mod oid;
mod read;
pub mod scram;
pub mod sqlstate;
pub mod startup;
mod write;

pub use error::Error;
pub use frame::{Frame, Header};
pub use limits::Limits;
pub use list::Format;
pub use oid::Oid;
pub use sqlstate::SqlState;
