//! The newest snapshot, as one file that is replaced whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{Encode, direct_file::DirectFile};

const FILE: &str = "snapshot";

/// Where the snapshot of this data directory is.
pub fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Reads a snapshot; `None` when there never was one.
///
/// # Errors
/// Whatever the system says.
pub fn read(dir: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path(dir)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the snapshot, as [`replace_file`] does, while other files of the disk are written unhindered.
///
/// # Errors
/// Whatever the system says.
pub fn write(dir: &Path, encode: Encode) -> io::Result<()> {
    let (path, unfinished) = (path(dir), path(dir).with_extension("new"));
    let mut file = DirectFile::create(&unfinished)?;
    encode(&mut file)?;
    file.finish()?;
    fs::rename(&unfinished, path)?;
    sync_dir(dir)
}

/// Replaces a file as a whole: afterwards the new content is there and survives a power cut; after a crash on the way
/// either the old or the new is there.
///
/// # Errors
/// Whatever the system says.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&unfinished, path)?;
    sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Makes the names in a directory survive a power cut.
///
/// # Errors
/// Whatever the system says.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
