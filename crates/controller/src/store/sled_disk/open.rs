//! Opening a data directory: is it ours, is it whole, is it free?

use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use model::ControllerId;

use super::{Identity, Mark, Marker, Open, StoreError, Wrap};
use crate::{
    limits::DISK_CACHE_BYTES,
    store::image_file::{self, sync_dir},
};

/// The folder that sled has for itself.
const LOG_DIR: &str = "log";
/// sled's data file in it.
const SLED_FILE: &str = "db";

/// Opens or makes the directory.
pub fn open(
    dir: &Path,
    controller: ControllerId,
    wrap: Option<Wrap>,
) -> Result<(Identity, Open), StoreError> {
    fs::create_dir_all(dir).map_err(StoreError::io("create", dir))?;
    let identity = identify(dir, controller)?;
    let log_dir = dir.join(LOG_DIR);
    let marker = match Marker::open(dir)? {
        Some(marker) => marker,
        // Between writing the identity and this file the process may have ended; later than that, data was lost.
        None if log_dir.exists() => return Err(lost(dir, "its marker file is gone")),
        None => Marker::create(dir)?,
    };
    let mark = marker.mark();
    if mark != Mark::default() && !log_dir.join(SLED_FILE).exists() {
        return Err(lost(dir, "its log is gone"));
    }
    let db = open_sled(dir, &log_dir)?;
    let tree = |name: &str| db.open_tree(name).map_err(|error| sled_error(dir, error));
    let sync =
        File::open(log_dir.join(SLED_FILE)).map_err(StoreError::io("open", log_dir.join(SLED_FILE)))?;
    for dir in [&log_dir, dir] {
        sync_dir(dir).map_err(StoreError::io("sync", dir))?;
    }
    let open = Open {
        log: tree("log")?,
        vote: tree("vote")?,
        committed: tree("committed")?,
        purged: tree("purged")?,
        sync: wrap.map(|wrap| wrap(sync)),
        dir: dir.into(),
        marker,
        mark,
        leftover: None,
        db,
    };
    Ok((identity, open))
}

fn identify(dir: &Path, controller: ControllerId) -> Result<Identity, StoreError> {
    match Identity::read(dir)? {
        Some(identity) if identity.controller == controller => Ok(identity),
        Some(Identity { controller: found, .. }) => {
            Err(StoreError::AnotherController { path: dir.into(), found, expected: controller })
        }
        None if dir.join(LOG_DIR).exists() || image_file::path(dir).exists() => {
            Err(StoreError::Unknown { path: dir.into() })
        }
        None => {
            let identity = Identity { controller, fleet: None, joining: true };
            identity.write(dir)?;
            Ok(identity)
        }
    }
}

fn open_sled(dir: &Path, log_dir: &Path) -> Result<sled::Db, StoreError> {
    // Flushed by us, batch by batch, and never behind our back.
    let config = sled::Config::new().path(log_dir).cache_capacity(DISK_CACHE_BYTES).flush_every_ms(None);
    // Some kinds of damage make sled panic instead of saying so.
    let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
    opened
        .map_err(|_| damaged(dir, "opening it failed an assertion"))?
        .map_err(|error| sled_error(dir, error))
}

/// What sled's error means for the operator.
pub fn sled_error(dir: &Path, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(error) if is_lock(&error) => StoreError::Locked { path: dir.into() },
        sled::Error::Io(source) => StoreError::Io { doing: "open the log in", path: dir.into(), source },
        sled::Error::Unsupported(what) => {
            StoreError::Newer { what: format!("the log ({what})"), path: dir.into() }
        }
        sled::Error::Corruption { .. } => damaged(dir, "a checksum does not fit"),
        sled::Error::CollectionNotFound(_) => damaged(dir, "a tree is missing"),
        sled::Error::ReportableBug(what) => damaged(dir, &what),
    }
}

fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

/// Something acknowledged is missing.
pub fn lost(dir: &Path, reason: &str) -> StoreError {
    StoreError::Lost { path: dir.into(), reason: reason.into() }
}

/// Something is there, but not readable.
pub fn damaged(dir: &Path, reason: &str) -> StoreError {
    StoreError::Damaged { what: "the log".into(), path: dir.into(), reason: reason.into() }
}
