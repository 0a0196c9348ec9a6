//! Why a server cannot run. What goes wrong with one database or one session never ends the server.

use std::path::PathBuf;

/// A server could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory of its own failed.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process works in the same data directory.
    #[error("another server runs in {path}: give each its own data directory")]
    DataDirTaken {
        /// The directory.
        path: PathBuf,
    },
    /// The journals' store is not fit for use.
    #[error("the journal store is not usable")]
    Store(#[from] journal::StoreError),
    /// Another server lives under the same name.
    #[error("another server runs under the name \"{name}\": give each its own name, or stop that one")]
    NameTaken {
        /// The name.
        name: model::Name,
    },
    /// The controllers belong to another fleet than before.
    #[error("the controllers are those of fleet {found}, this server belongs to fleet {own}")]
    AnotherFleet {
        /// The fleet that this server registered with first.
        own: model::FleetId,
        /// The fleet that answers now.
        found: model::FleetId,
    },
}
