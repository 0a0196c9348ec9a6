//! The handler as a whole, between a fake controller, fake servers and real clients, over streams in memory.

mod client;
mod controller;
mod fleet;
mod net;
mod relay;
mod server;

pub(crate) use client::{Raw, connect};
pub(crate) use fleet::{Fleet, Until};
