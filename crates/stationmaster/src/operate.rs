//! The operators' commands: each asks the controllers, prints a table or JSON, and ends with a number for scripts.
//!
//! Nothing here decides anything: it is the same service that handlers and servers use.

mod cluster;
mod conditions;
mod controllers;
mod databases;
mod directives;
mod drain;
mod events;
mod handlers;
mod listing;
mod map;
mod members;
mod password;
mod servers;
mod status;
mod users;

use std::process::ExitCode;

use clap::Subcommand;

pub use cluster::{Cluster, Reach, explain};
pub use listing::{Cell, Listing, print};
pub use users::verifier;

/// What an operator can ask for.
#[derive(Subcommand)]
pub enum Request {
    /// How the whole fleet is doing; fails when no leader can be reached
    Status(Reach),
    /// Databases: list, show, create, fork, adopt, drop, rename, move, assign, unassign, set, reset
    #[command(subcommand)]
    Databases(databases::Request),
    /// Servers: list, drain, expire, conditions, filter, reload-rules
    #[command(subcommand)]
    Servers(servers::Request),
    /// Controllers: list, add, remove, replace, transfer-leadership
    #[command(subcommand)]
    Controllers(controllers::Request),
    /// Handlers: list
    #[command(subcommand)]
    Handlers(handlers::Request),
    /// Users who may log in: list, create, password, drop
    #[command(subcommand)]
    Users(users::Request),
    /// What clients are told to do: send, list, revoke, acks
    #[command(subcommand)]
    Directives(directives::Request),
    /// What happened in the fleet, and why: every decision, oldest first
    Events(events::Request),
    /// The replicated map: digest, get, backup, restore, export, import
    #[command(subcommand)]
    Map(map::Request),
}

/// Does it.
pub fn run(request: Request) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match request {
            Request::Status(reach) => status::run(&reach).await,
            Request::Databases(request) => databases::run(request).await,
            Request::Servers(request) => servers::run(request).await,
            Request::Controllers(request) => controllers::run(request).await,
            Request::Handlers(request) => handlers::run(request).await,
            Request::Users(request) => users::run(request).await,
            Request::Directives(request) => directives::run(request).await,
            Request::Events(request) => events::run(request).await,
            Request::Map(request) => map::run(request).await,
        }
    })
}
