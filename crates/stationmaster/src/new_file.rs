//! A file that appears under its name when it is whole and synced, and never in the place of another.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};

use crate::failure::Usage;

/// A file that is being written, beside the one it is to become. Readable by its owner alone, as that will be.
/// Removed in the end: that one is another link to it.
pub struct NewFile {
    partial: PathBuf,
    file: PathBuf,
}

impl NewFile {
    /// Begins one.
    ///
    /// # Errors
    /// Something has that name already, or the folder cannot be written to.
    pub fn begin(file: &Path) -> anyhow::Result<Self> {
        if file.symlink_metadata().is_ok() {
            return Err(taken(file));
        }
        let Some(name) = file.file_name() else { bail!(Usage(format!("{} is no file", file.display()))) };
        let mut partial = OsString::from(".");
        partial.push(name);
        partial.push(format!(".unfinished-{:016x}", rand::random::<u64>()));
        let partial = file.with_file_name(partial);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial);
        made.with_context(|| format!("cannot write into {}", folder(file).display()))?;
        Ok(Self { partial, file: file.into() })
    }

    /// Where to write it.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Syncs it and gives it its name. Tells how long it is, in bytes.
    ///
    /// # Errors
    /// Something has got that name meanwhile, or the system says no.
    pub fn keep(&self) -> anyhow::Result<u64> {
        let cannot = || format!("cannot write {}", self.file.display());
        let written = File::open(&self.partial).with_context(cannot)?;
        written.sync_all().with_context(cannot)?;
        let bytes = written.metadata().with_context(cannot)?.len();
        match fs::hard_link(&self.partial, &self.file) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(taken(&self.file)),
            linked => linked.with_context(cannot)?,
        }
        File::open(folder(&self.file)).and_then(|folder| folder.sync_all()).with_context(cannot)?;
        Ok(bytes)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.partial) {
            eprintln!("{} stays behind: {error}", self.partial.display());
        }
    }
}

fn taken(file: &Path) -> anyhow::Error {
    anyhow!("{} is there already; nothing was changed", file.display())
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}
