//! Why a controller ends.

use std::path::PathBuf;

use model::ControllerId;

use crate::{settings::SettingsError, store::StoreError};

/// A controller did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings cannot be used.
    #[error("the settings cannot be used: {}", list(.0))]
    Settings(Vec<SettingsError>),
    /// The data directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The consensus engine did not start.
    #[error("the consensus engine did not start: {reason}")]
    Start {
        /// What it said.
        reason: String,
    },
    /// The others took it off their list.
    #[error(
        "controller {id} was removed from the fleet; to have it join again, empty {path}, start it, and add it with \
         `stationmaster controllers add`"
    )]
    Removed {
        /// This controller.
        id: ControllerId,
        /// Its data directory.
        path: PathBuf,
    },
    /// The consensus engine stopped, most likely because the disk failed. What was acknowledged is safe.
    #[error("the consensus engine stopped: {reason}")]
    Stopped {
        /// What it said.
        reason: String,
    },
}

fn list(problems: &[SettingsError]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
