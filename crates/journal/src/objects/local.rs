//! A directory on this machine as a store that is really durable, shared by any number of processes.
//!
//! An object is written into a file without a name, synced, linked to its name (which fails if the name is taken:
//! that is the atomic *put if absent*), and the directory is synced before anybody is told.
//! A name may be visible before it is durable, when its writer died between link and sync: so a directory is synced
//! before its listing is believed, and before anybody is told that a name is taken.
//! A sync that fails is final: the kernel has dropped what it could not write, so trying again proves nothing.
//! The store answers nothing but [`ErrorKind::Broken`] from then on, and its process must end: by itself, unless
//! [`OnBroken`] says otherwise.

use std::{
    collections::HashSet,
    io,
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Action, Created, Disk, ErrorKind, Key, Link, Listed, ObjectError, Objects, RealDisk};
use crate::Threads;

/// Folders known to be durable; past this many all are forgotten, which costs a few syncs.
const KNOWN_FOLDERS_MAX: usize = 64 << 10;

/// See the module.
#[derive(Clone, Debug)]
pub struct Local {
    inner: Arc<Inner>,
    threads: Threads,
}

#[derive(Debug)]
struct Inner {
    disk: Box<dyn Disk>,
    /// Folders whose whole path is known to survive a power cut.
    known: Mutex<HashSet<String>>,
    broken: OnceLock<String>,
    on_broken: OnBroken,
}

/// What a failed sync leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBroken {
    /// The process ends at once, with exit code 1. Whoever starts it again gets a store that looks at the disk anew.
    EndProcess,
    /// Every later call is refused. For tests and offline commands.
    Refuse,
}

/// What stopped a [`Local`] operation.
struct Failure(ErrorKind, io::Error);

impl Local {
    /// The store in a directory of this machine, which is made if it is not there.
    ///
    /// # Errors
    /// When the directory cannot be made or synced.
    pub fn new(dir: &Path, threads: Threads, on_broken: OnBroken) -> io::Result<Self> {
        Ok(Self::on(RealDisk::new(dir)?, threads, on_broken))
    }

    /// The store on any disk.
    pub fn on(disk: impl Disk, threads: Threads, on_broken: OnBroken) -> Self {
        let (disk, known, broken) = (Box::new(disk), Mutex::default(), OnceLock::new());
        let inner = Inner { disk, known, broken, on_broken };
        Self { inner: Arc::new(inner), threads }
    }

    /// Why the store is broken, if a sync has failed: the process must end and say so.
    pub fn broken(&self) -> Option<&str> {
        self.inner.broken.get().map(String::as_str)
    }

    async fn run<T: Send + 'static>(
        &self,
        action: Action,
        key: &Key,
        work: impl FnOnce(&Inner, &Key) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, ObjectError> {
        let (inner, key) = (Arc::clone(&self.inner), key.clone());
        self.threads
            .run(move || {
                if let Some(reason) = inner.broken.get() {
                    return Err(action.failed(&key, ErrorKind::Broken, reason.clone()));
                }
                work(&inner, &key).map_err(|Failure(kind, error)| action.failed(&key, kind, error))
            })
            .await
    }
}

impl Inner {
    fn create(&self, key: &Key, parts: &[Bytes]) -> Result<Created, Failure> {
        let (folder, _) = key.split();
        self.make_folder(folder)?;
        match self.put(key, folder, parts) {
            // Somebody took the folder away under us.
            Err(Failure(_, error)) if error.kind() == io::ErrorKind::NotFound => {
                self.known().clear();
                self.make_folder(folder)?;
                self.put(key, folder, parts)
            }
            put => put,
        }
    }

    fn put(&self, key: &Key, folder: &str, parts: &[Bytes]) -> Result<Created, Failure> {
        let created = if self.disk.exists(key.as_str()).map_err(failed)? {
            Created::Taken
        } else {
            let mut file = self.disk.stage(folder).map_err(failed)?;
            parts.iter().try_for_each(|part| file.write(part)).map_err(failed)?;
            file.sync().map_err(|error| self.content_sync_failed(error))?;
            match file.link(key.as_str()).map_err(failed)? {
                Link::Made => Created::Made,
                Link::Taken => Created::Taken,
            }
        };
        self.sync_folder(folder)?;
        Ok(created)
    }

    /// Makes a folder and all above it, durably. A folder that is there may have been made by a process that died
    /// before it synced it, so each is synced once by every process.
    fn make_folder(&self, folder: &str) -> Result<(), Failure> {
        if self.known().contains(folder) {
            return Ok(());
        }
        let ends = folder.match_indices('/').map(|(at, _)| at).chain([folder.len()]);
        let mut parent = "";
        for end in ends {
            self.disk.make_dir(&folder[..end]).map_err(failed)?;
            self.sync_folder(parent)?;
            parent = &folder[..end];
        }
        let mut known = self.known();
        if known.len() >= KNOWN_FOLDERS_MAX {
            known.clear();
        }
        known.insert(folder.into());
        Ok(())
    }

    fn list(&self, folder: &Key) -> Result<Vec<Listed>, Failure> {
        if !self.disk.exists(folder.as_str()).map_err(failed)? {
            return Ok(Vec::new());
        }
        self.make_folder(folder.as_str())?;
        self.sync_folder(folder.as_str())?;
        let files = self.disk.files(folder.as_str()).map_err(failed)?;
        let mut listed: Vec<Listed> = files.into_iter().map(|(name, size)| Listed { name, size }).collect();
        listed.sort();
        Ok(listed)
    }

    fn sync_folder(&self, folder: &str) -> Result<(), Failure> {
        match self.disk.sync_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(failed(error)),
            synced => synced.map_err(|error| self.sync_failed(error)),
        }
    }

    /// The file had no name yet, so a full disk has broken no promise; any other cause says the disk is failing.
    fn content_sync_failed(&self, error: io::Error) -> Failure {
        match failed(error) {
            Failure(ErrorKind::Refused, error) => Failure(ErrorKind::Refused, error),
            Failure(ErrorKind::Unknown | ErrorKind::Broken, error) => self.sync_failed(error),
        }
    }

    fn sync_failed(&self, error: io::Error) -> Failure {
        let reason = self.broken.get_or_init(|| format!("an earlier sync failed: {error}"));
        tracing::error!(reason, "the journal's directory can no longer be trusted; this process must end");
        if self.on_broken == OnBroken::EndProcess {
            std::process::exit(1);
        }
        Failure(ErrorKind::Broken, error)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.known.lock().expect("BUG: a holder panicked")
    }
}

/// Errors before the link: nothing was made.
fn failed(error: io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull
        | io::ErrorKind::QuotaExceeded
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::FileTooLarge
        | io::ErrorKind::PermissionDenied => ErrorKind::Refused,
        _ => ErrorKind::Unknown,
    };
    Failure(kind, error)
}

#[async_trait]
impl Objects for Local {
    async fn create(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError> {
        let parts = parts.to_vec();
        self.run(Action::Create, key, move |inner, key| inner.create(key, &parts)).await
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Bytes>, ObjectError> {
        self.run(Action::Read, key, move |inner, key| match inner.disk.read(key.as_str(), range) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        })
        .await
    }

    async fn list(&self, folder: &Key) -> Result<Vec<Listed>, ObjectError> {
        self.run(Action::List, folder, Inner::list).await
    }

    async fn folders(&self, folder: &Key) -> Result<Vec<String>, ObjectError> {
        self.run(Action::List, folder, |inner, folder| {
            if !inner.disk.exists(folder.as_str()).map_err(failed)? {
                return Ok(Vec::new());
            }
            let mut names = inner.disk.dirs(folder.as_str()).map_err(failed)?;
            names.sort();
            Ok(names)
        })
        .await
    }

    async fn delete(&self, key: &Key) -> Result<(), ObjectError> {
        self.run(Action::Delete, key, |inner, key| match inner.disk.remove(key.as_str()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            Ok(()) | Err(_) => Ok(()),
        })
        .await
    }
}
