//! The directory of working copies. A cache: wiped at start, and a copy is removed when its database is put away.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use model::{DatabaseId, Epoch};

use crate::Error;

/// A directory that this process alone works in.
#[derive(Debug)]
pub struct Cache {
    copies: PathBuf,
    /// Counts scratch files.
    scratches: AtomicU64,
    /// Locked as long as it is open.
    _lock: File,
}

impl Cache {
    /// Takes the directory and removes what an earlier process left. Blocks on the disk.
    ///
    /// # Errors
    /// [`Error::DataDirTaken`] when another process has it, [`Error::File`] when the disk fails.
    pub fn take(dir: &Path) -> Result<Self, Error> {
        let file = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::File { action, path, source }
        };
        fs::create_dir_all(dir).map_err(file("make", dir))?;
        let lock_path = dir.join("lock");
        let lock = File::create(&lock_path).map_err(file("make", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::DataDirTaken { path: dir.into() }),
            Err(TryLockError::Error(source)) => return Err(file("lock", &lock_path)(source)),
        }
        let copies = dir.join("cache");
        match fs::remove_dir_all(&copies) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(file("wipe", &copies)(error));
            }
            Ok(()) | Err(_) => {}
        }
        fs::create_dir(&copies).map_err(file("make", &copies))?;
        Ok(Self { copies, scratches: AtomicU64::new(1), _lock: lock })
    }

    /// Where a working copy is, if it is there.
    pub fn path(&self, database: DatabaseId, epoch: Epoch) -> PathBuf {
        self.copies.join(format!("{database}-{epoch}"))
    }

    /// The path of a scratch file that nobody else has.
    pub fn scratch(&self) -> PathBuf {
        self.copies.join(format!("scratch-{}", self.scratches.fetch_add(1, Ordering::Relaxed)))
    }

    /// Removes a scratch file, if it was made. Blocks on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn discard(&self, scratch: &Path) -> io::Result<()> {
        match fs::remove_file(scratch) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Makes an empty directory for a working copy. Blocks on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(&self, database: DatabaseId, epoch: Epoch) -> io::Result<PathBuf> {
        self.remove(database, epoch)?;
        let copy = self.path(database, epoch);
        fs::create_dir(&copy)?;
        Ok(copy)
    }

    /// Removes a working copy, if it is there. Blocks on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, database: DatabaseId, epoch: Epoch) -> io::Result<()> {
        match fs::remove_dir_all(self.path(database, epoch)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_wiped_and_belongs_to_one_process() {
        let dir = tempfile::tempdir().expect("a directory");
        let cache = Cache::take(dir.path()).expect("free");
        let copy = cache.make(DatabaseId(1), Epoch(2)).expect("room");
        fs::write(copy.join("image"), b"old").expect("room");
        assert!(matches!(Cache::take(dir.path()), Err(Error::DataDirTaken { .. })));
        drop(cache);
        let cache = Cache::take(dir.path()).expect("free again");
        assert!(!copy.exists(), "nothing of an earlier process is trusted");
        let copy = cache.make(DatabaseId(1), Epoch(2)).expect("room");
        cache.remove(DatabaseId(1), Epoch(2)).expect("removed");
        cache.remove(DatabaseId(1), Epoch(2)).expect("removing again is fine");
        assert!(!copy.exists());
    }
}
