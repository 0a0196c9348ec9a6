//! A directory on this machine as a store that is really durable, shared by any number of processes.
//!
//! Records of logs are appended to [packs](super::pack), where appends are atomic: one sync for each.
//! Any other object is written into a file without a name, synced, linked to its name (which fails if the name is taken:
//! that is the atomic *put if absent*), and the directory is synced before anybody is told.
//! A name may be visible before it is durable, when its writer died between link and sync: so a directory is synced
//! before its listing is believed, and before anybody is told that a name is taken.
//! A sync that fails is final: the kernel has dropped what it could not write, so trying again proves nothing.
//! The store answers nothing but [`ErrorKind::Broken`] from then on, and its process must end: by itself, unless
//! [`OnBroken`] says otherwise.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Action, BlockingObjects, Created, Disk, ErrorKind, Key, Layout, Link, Listed, ObjectError, Objects,
    RealDisk,
    pack::{self, Deleted, Packs},
};
use crate::{Position, Threads, names::Name};

/// Folders known to be durable; past this many all are forgotten, which costs a few syncs.
const KNOWN_FOLDERS_MAX: usize = 64 << 10;
/// How often a pack that is removed at that moment is begun anew before the caller is told.
const PACK_ATTEMPTS: u32 = 8;

/// See the module.
#[derive(Clone, Debug)]
pub struct Local {
    inner: Arc<Inner>,
    threads: Threads,
}

#[derive(Debug)]
struct Inner {
    disk: Box<dyn Disk>,
    layout: Layout,
    packs: Packs,
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
    /// When the directory cannot be made or synced, or its [`Layout`] cannot be used.
    pub fn new(dir: &Path, threads: Threads, on_broken: OnBroken) -> io::Result<Self> {
        let disk = RealDisk::new(dir)?;
        let layout = Layout::settle(&disk)?;
        Ok(Self::on(disk, layout, threads, on_broken))
    }

    /// The store in a directory that is there, to be read: nothing is noted in it.
    ///
    /// # Errors
    /// When the directory is of no [`Layout`] that is known.
    pub fn to_read(dir: &Path, threads: Threads) -> io::Result<Self> {
        let disk = RealDisk::new(dir)?;
        let layout = Layout::read(&disk)?.unwrap_or(Layout::Files);
        Ok(Self::on(disk, layout, threads, OnBroken::Refuse))
    }

    /// The store on any disk. What it makes is of this layout; it reads both.
    pub fn on(disk: impl Disk, layout: Layout, threads: Threads, on_broken: OnBroken) -> Self {
        let (disk, packs, known) = (Box::new(disk), Packs::default(), Mutex::default());
        let inner = Inner { disk, layout, packs, known, broken: OnceLock::new(), on_broken };
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
        self.threads.run(move || inner.run(action, &key, work)).await
    }
}

impl Inner {
    fn run<T>(
        &self,
        action: Action,
        key: &Key,
        work: impl FnOnce(&Self, &Key) -> Result<T, Failure>,
    ) -> Result<T, ObjectError> {
        if let Some(reason) = self.broken.get() {
            return Err(action.failed(key, ErrorKind::Broken, reason.clone()));
        }
        work(self, key).map_err(|Failure(kind, error)| action.failed(key, kind, error))
    }

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
        match (self.layout, record(key)) {
            (Layout::Packs, Some(position)) => self.put_into_pack(folder, position, parts),
            (Layout::Packs, None) | (Layout::Files, _) => self.put_file(key, folder, parts),
        }
    }

    fn put_into_pack(&self, folder: &str, position: Position, parts: &[Bytes]) -> Result<Created, Failure> {
        let first = pack::first_of(position);
        for _ in 0..PACK_ATTEMPTS {
            let Some(pack) = self.packs.open(&*self.disk, folder, first).map_err(failed)? else {
                let key = Key::new(format!("{folder}/{}", pack::file_name(first)));
                self.put_file(&key, folder, &[pack::beginning().into()])?;
                continue;
            };
            if !pack.is_named_durably() {
                self.sync_folder(folder)?;
                pack.mark_named_durably();
            }
            let put = pack.put(position, parts).map_err(failed)?;
            pack.sync().map_err(|error| self.sync_failed(error))?;
            // A pack that was removed meanwhile held nothing but garbage; what was put into it is gone.
            if !pack.is_named().map_err(failed)? {
                continue;
            }
            if put.created == Created::Made
                && let Err(error) = pack.settle(position, &put)
            {
                tracing::debug!(folder, %position, %error, "a record is durable; the note of it was not made");
            }
            return Ok(put.created);
        }
        Err(Failure(ErrorKind::Unknown, io::Error::other("its pack is removed again and again")))
    }

    fn put_file(&self, key: &Key, folder: &str, parts: &[Bytes]) -> Result<Created, Failure> {
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
        let mut listed = Vec::new();
        for (name, size) in files {
            match pack::parse(&name) {
                Some(first) => listed.extend(self.list_pack(folder, first)?),
                None => listed.push(Listed { name, size }),
            }
        }
        listed.sort();
        Ok(listed)
    }

    fn list_pack(&self, folder: &Key, first: u64) -> Result<Vec<Listed>, Failure> {
        let pack = self.packs.open(&*self.disk, folder.as_str(), first).map_err(failed)?;
        let Some(pack) = pack else { return Ok(Vec::new()) };
        let listed = pack.list().map_err(failed)?;
        pack.sync().map_err(|error| self.sync_failed(error))?;
        Ok(listed)
    }

    fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Bytes>, Failure> {
        if let Some(position) = record(key) {
            let pack = self.packs.open(&*self.disk, key.split().0, pack::first_of(position));
            if let Some(pack) = pack.map_err(failed)?
                && let Some(found) = pack.read(position, range.clone()).map_err(failed)?
            {
                return Ok(Some(found));
            }
        }
        match self.disk.read(key.as_str(), range) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Deletes objects; those in one pack together.
    fn delete(&self, keys: &[Key]) -> Result<(), Failure> {
        let mut packs: BTreeMap<(&str, u64), Vec<(Position, &Key)>> = BTreeMap::new();
        let mut files = Vec::new();
        for key in keys {
            match record(key) {
                Some(at) => packs.entry((key.split().0, pack::first_of(at))).or_default().push((at, key)),
                None => files.push(key),
            }
        }
        for ((folder, first), records) in packs {
            let Some(pack) = self.packs.open(&*self.disk, folder, first).map_err(failed)? else {
                files.extend(records.into_iter().map(|(_, key)| key));
                continue;
            };
            let positions: Vec<Position> = records.iter().map(|(at, _)| *at).collect();
            let Deleted { there, empty } = pack.delete(&positions).map_err(failed)?;
            if empty {
                self.gone(self.packs.remove(&*self.disk, &pack))?;
            }
            let apart = records.into_iter().filter(|(at, _)| !there.contains(at));
            files.extend(apart.map(|(_, key)| key));
        }
        files.into_iter().try_for_each(|key| self.gone(self.disk.remove(key.as_str())))
    }

    fn gone(&self, removed: io::Result<()>) -> Result<(), Failure> {
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            Ok(()) | Err(_) => Ok(()),
        }
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

/// The position of a log's record; nothing for any other object.
fn record(key: &Key) -> Option<Position> {
    match Name::parse(key.split().1) {
        Some(Name::Record(position)) => Some(position),
        Some(Name::Snapshot(_) | Name::Tombstone(_) | Name::Pin(_)) | None => None,
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
        self.run(Action::Read, key, move |inner, key| inner.read(key, range)).await
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
        self.run(Action::Delete, key, |inner, key| inner.delete(std::slice::from_ref(key))).await
    }

    async fn delete_all(&self, keys: &[Key]) -> Result<(), ObjectError> {
        let Some(first) = keys.first() else { return Ok(()) };
        let keys = keys.to_vec();
        self.run(Action::Delete, first, move |inner, _| inner.delete(&keys)).await
    }

    fn blocking(&self) -> Option<&dyn BlockingObjects> {
        // A network's file system may hang for one machine alone; there the owner must be able to leave.
        (self.threads == Threads::Pool && self.inner.layout == Layout::Packs).then_some(self)
    }
}

impl BlockingObjects for Local {
    fn create_here(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError> {
        self.inner.run(Action::Create, key, |inner, key| inner.create(key, parts))
    }
}
