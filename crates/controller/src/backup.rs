//! Backups of the map, away from any running controller: reading one, making one of a data directory that is left, and
//! the data directories with which a fleet of controllers begins again.
//!
//! A backup is a snapshot as controllers keep it: see [`crate::machine::image`]. What the map does when it comes back is
//! [`model::Fleet::restored`]; here the log does the same: it begins again far beyond where the lost one may have come.

mod restore;
mod salvage;

use std::path::PathBuf;

use model::Fleet;

pub use restore::{refuse_data, restore};

use crate::{
    machine::image::{self, ImageError},
    raft::SnapshotMeta,
    store::StoreError,
};

/// A map that was kept, with its place in the log.
pub struct Backup {
    meta: SnapshotMeta,
    fleet: Fleet,
}

/// A backup cannot be read, made or restored. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file is no backup, or not as it was written.
    #[error("this is no backup of a map, or it is damaged: {0}")]
    Unreadable(ImageError),
    /// Written by a later release.
    #[error("this backup was written by a later release; use that release, or an even later one")]
    Newer,
    /// The data directory cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no controller's data.
    #[error("{path} is no controller's data directory: it has no identity file")]
    NoData {
        /// The directory.
        path: PathBuf,
    },
    /// A controller that has data must not get other data.
    #[error(
        "{path} is not empty: a map is restored into new controllers only; move the old directory away if it is \
         really to be given up"
    )]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The map belongs to no fleet yet.
    #[error("the fleet was never founded: there is nothing to restore")]
    Unfounded,
}

impl Backup {
    /// Reads a backup of any version ever written.
    ///
    /// # Errors
    /// [`BackupError::Unreadable`], [`BackupError::Newer`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BackupError> {
        match image::decode(bytes) {
            Ok((meta, fleet)) => Ok(Self { meta, fleet }),
            Err(
                ImageError::Newer { .. }
                | ImageError::Level { .. }
                | ImageError::Map(
                    model::codec::Error::VersionUnknown { .. } | model::codec::Error::LevelUnknown { .. },
                ),
            ) => Err(BackupError::Newer),
            Err(error @ (ImageError::Damaged { .. } | ImageError::Map(_))) => {
                Err(BackupError::Unreadable(error))
            }
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        image::encode(&self.meta, &self.fleet)
    }

    /// The map in it.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }
}
