//! The folder that a cluster is kept in: one process at a time, secrets readable by their owner alone.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use rand::Rng;
use rustix::fs::FlockOperation;

use super::{Plan, Planned, Record};
use crate::{
    config::{self, Overrides},
    secret,
};

/// The databases' journals.
pub const JOURNAL: &str = "journal";
/// The fleet's secret.
pub const SECRET: &str = "secret";
/// The first user's password.
const PASSWORD: &str = "password";
/// In a controller's data directory: see [`Folder::left_out`].
const LEFT_OUT: &str = "removed-from-the-fleet";
/// Length of a generated password: 62 ^ 24 is more than 2 ^ 142.
const PASSWORD_CHARS: usize = 24;

/// An open folder. It is locked while this lives.
pub struct Folder {
    root: PathBuf,
    shown: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be, and locks it.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot use {}; choose another folder with --dir", dir.display());
        fs::create_dir_all(dir.join("log")).with_context(cannot)?;
        fs::create_dir_all(dir.join("config")).with_context(cannot)?;
        let root = dir.canonicalize().with_context(cannot)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("lock"))
            .with_context(cannot)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { root, shown: dir.into(), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                bail!(
                    "a `stationmaster dev` runs in {} already; stop it, or take another folder with --dir",
                    dir.display()
                )
            }
            Err(error) => Err(anyhow::Error::new(error).context(cannot())),
        }
    }

    /// Writes what the processes need; gives the first user's password.
    pub fn prepare(&self, record: &Record, plan: &Plan) -> anyhow::Result<String> {
        if !self.path(SECRET).exists() {
            secret::create(&self.path(SECRET))?;
        }
        let password = self.password()?;
        for planned in &plan.processes {
            // What this writes, an operator could have written: it must stand the same examination.
            let path = self.config(planned);
            config::read(
                Some(planned.role),
                &path.display().to_string(),
                &planned.config,
                &Overrides::default(),
            )?;
            fs::write(&path, format!("# Written by `stationmaster dev` at every start.\n{}", planned.config))
                .with_context(|| format!("cannot write {}", path.display()))?;
            self.set_old_log_aside(planned)?;
        }
        record.save(&self.root)?;
        Ok(password)
    }

    /// A path within.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder as the user called it.
    pub fn shown(&self) -> std::path::Display<'_> {
        self.shown.display()
    }

    /// A process's configuration file.
    pub fn config(&self, planned: &Planned) -> PathBuf {
        self.root.join("config").join(format!("{}.toml", planned.name))
    }

    /// A file that is there when the process, a controller, was removed from its fleet. It is gone once its data is.
    pub fn left_out(&self, planned: &Planned) -> PathBuf {
        self.root.join(&planned.name).join(LEFT_OUT)
    }

    /// Where the logs are.
    pub fn logs(&self) -> PathBuf {
        self.shown.join("log")
    }

    /// A process's log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join("log").join(format!("{name}.log"))
    }

    fn password(&self) -> anyhow::Result<String> {
        let path = self.path(PASSWORD);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let password: String = rand::rng()
                    .sample_iter(rand::distr::Alphanumeric)
                    .take(PASSWORD_CHARS)
                    .map(char::from)
                    .collect();
                secret::write_private(&path, &format!("{password}\n"))
                    .with_context(|| format!("cannot write {}", path.display()))?;
                Ok(password)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Each start has a log of its own; the one before is kept.
    fn set_old_log_aside(&self, planned: &Planned) -> anyhow::Result<()> {
        let log = self.log(&planned.name);
        match fs::rename(&log, log.with_extension("log.old")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot set {} aside", log.display()))
            }
            _ => Ok(()),
        }
    }
}
