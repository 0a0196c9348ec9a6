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
mod loads;
mod map;
mod members;
mod password;
mod placement;
mod servers;
mod status;
mod telemetry;
mod users;

use std::process::ExitCode;

use clap::Subcommand;
use model::Name;

pub use cluster::{Cluster, Reach, explain};
pub use listing::{Cell, Listing, print};
pub use users::verifier;

/// What an operator can ask for.
#[derive(Subcommand)]
pub enum Request {
    /// How the whole fleet is doing; fails when no leader can be reached
    Status(Reach),
    /// Databases: list, show, create, fork, adopt, drop, rename, move, assign, unassign, pin, unpin, set, reset
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
    /// What placement goes by: list, clients
    #[command(subcommand)]
    Loads(loads::Request),
    /// Users who may log in: list, create, password, drop
    #[command(subcommand)]
    Users(users::Request),
    /// What clients are told to do: send, list, revoke, acks
    #[command(subcommand)]
    Directives(directives::Request),
    /// What clients measure: start, stop, report
    #[command(subcommand)]
    Telemetry(telemetry::Request),
    /// Where databases go, and why: status, plan, explain, log, pause, resume
    #[command(subcommand)]
    Placement(placement::Request),
    /// What happened in the fleet, and why: every decision, oldest first
    Events(events::Request),
    /// The replicated map: digest, get, backup, restore, export, import
    #[command(subcommand)]
    Map(map::Request),
}

/// The user of this machine, as far as the environment tells.
fn user() -> Name {
    let said = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    said.and_then(|user| Name::new(&user).ok())
        .unwrap_or_else(|| Name::new("operator").expect("BUG: a good name"))
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
            Request::Loads(request) => loads::run(request).await,
            Request::Users(request) => users::run(request).await,
            Request::Directives(request) => directives::run(request).await,
            Request::Telemetry(request) => telemetry::run(request).await,
            Request::Placement(request) => placement::run(request).await,
            Request::Events(request) => events::run(request).await,
            Request::Map(request) => map::run(request).await,
        }
    })
}
