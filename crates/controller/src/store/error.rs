//! Why a data directory cannot be used, and what to do about it.

use std::{io, path::PathBuf};

use model::{ControllerId, FleetId};

/// A controller refuses to start with this data directory. It never starts empty where data had been.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system said no.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process has it open.
    #[error(
        "{path} is used by another process; stop that one, or give this controller a directory of its own"
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Another controller's data.
    #[error(
        "{path} belongs to controller {found}, this is controller {expected}; \
         set the right id or data directory"
    )]
    AnotherController {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: ControllerId,
        /// Who wants it.
        expected: ControllerId,
    },
    /// Another fleet's data.
    #[error(
        "{path} belongs to fleet {found}, its log to fleet {expected}; the directory was put together wrongly"
    )]
    AnotherFleet {
        /// The directory.
        path: PathBuf,
        /// What the directory says.
        found: FleetId,
        /// What the log says.
        expected: FleetId,
    },
    /// Written by a later release.
    #[error("{what} in {path} was written by a later release; start that release, or an even later one")]
    Newer {
        /// What.
        what: String,
        /// The directory.
        path: PathBuf,
    },
    /// There, but not readable.
    #[error(
        "{what} in {path} is damaged: {reason}; restore the directory from a copy, or, if a majority of the \
         controllers is well, empty it: the controller is sent everything again"
    )]
    Damaged {
        /// What.
        what: String,
        /// The directory.
        path: PathBuf,
        /// How it shows.
        reason: String,
    },
    /// Less is there than had been acknowledged.
    #[error(
        "{path} has lost data: {reason}; restore the directory from a copy, or, if a majority of the controllers \
         is well, empty it: the controller is sent everything again"
    )]
    Lost {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// Files, but not ours.
    #[error(
        "{path} holds data, but no identity file; it is no controller's data directory, or it was damaged"
    )]
    Unknown {
        /// The directory.
        path: PathBuf,
    },
}

impl StoreError {
    /// For `map_err` on IO.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
