//! The handler as a whole, between a fake controller, fake servers and real clients, over streams in memory.

mod admin;
mod bad_input;
mod cancel;
mod client;
mod controller;
mod directives;
mod exactly_once;
mod fleet;
mod held;
mod login;
mod loss;
mod net;
mod relay;
mod routes;
mod server;
mod shutdown;
mod time_limits;

pub(crate) use client::{Raw, connect};
pub(crate) use fleet::{Fleet, Until};
