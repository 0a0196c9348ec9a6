//! A disk that forgets, at a power cut, what was not synced.
//!
//! Names survive if their directory was synced after they changed; contents, if the file was synced after it was
//! written. Of everything else some survives and some does not, block by block; what does not may survive as zeros.
//! An append may find room for a part only, and a process may die in the middle of one.

use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use journal::objects::{Appended, Disk, Link, Staged};
use rand::{Rng, rngs::StdRng};

/// What a disk may only pretend to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It is honest.
    None,
    /// A directory's sync does nothing.
    SyncDir,
    /// A file's sync does nothing.
    SyncFile,
    /// It does not lie: every sync fails.
    Fail,
    /// Appends are written where the writer's process last saw the end, as NFS does.
    Append,
}

impl Lie {
    fn check(self) -> io::Result<Self> {
        if self == Self::Fail { Err(io::Error::other("the disk is failing")) } else { Ok(self) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Dir,
    File(usize),
}

#[derive(Clone, Debug, Default)]
struct Dir {
    now: BTreeMap<String, Entry>,
    durable: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug)]
struct Platter {
    dirs: BTreeMap<String, Dir>,
    files: Vec<Content>,
    appends: u32,
    lie: Lie,
}

/// One process's way to a shared disk. After so many operations the process is dead.
#[derive(Clone, Debug)]
pub struct SimDisk {
    platter: Arc<Mutex<Platter>>,
    operations_left: Arc<AtomicI64>,
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl SimDisk {
    pub fn new(lie: Lie) -> Self {
        let dirs = BTreeMap::from([(String::new(), Dir::default())]);
        let platter = Platter { dirs, files: Vec::new(), appends: 0, lie };
        Self { platter: Arc::new(Mutex::new(platter)), operations_left: Arc::new(AtomicI64::new(i64::MAX)) }
    }

    /// The same disk for another process, which dies after so many operations.
    pub fn process(&self, operations: i64) -> Self {
        Self { platter: Arc::clone(&self.platter), operations_left: Arc::new(AtomicI64::new(operations)) }
    }

    pub fn operations_left(&self) -> i64 {
        self.operations_left.load(Ordering::Relaxed)
    }

    /// The power goes, and comes back.
    pub fn power_cut(&self, random: &mut StdRng) {
        let platter = &mut *self.platter.lock().expect("BUG: a holder panicked");
        for dir in platter.dirs.values_mut() {
            dir.survive(random);
        }
        for file in &mut platter.files {
            file.survive(random);
        }
        let lost = |dirs: &BTreeMap<String, Dir>, path: &str| {
            let (parent, name) = split(path);
            !path.is_empty() && dirs.get(parent).is_none_or(|dir| dir.now.get(name) != Some(&Entry::Dir))
        };
        while let Some(path) = platter.dirs.keys().find(|path| lost(&platter.dirs, path)).cloned() {
            platter.dirs.remove(&path);
        }
    }

    fn platter(&self) -> io::Result<MutexGuard<'_, Platter>> {
        if self.operations_left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Err(io::Error::other("this process is dead"));
        }
        Ok(self.platter.lock().expect("BUG: a holder panicked"))
    }
}

impl Dir {
    /// Each name's last unsynced change happens, or does not.
    fn survive(&mut self, random: &mut StdRng) {
        let names: Vec<String> = self.now.keys().chain(self.durable.keys()).cloned().collect();
        for name in names {
            if self.now.get(&name) != self.durable.get(&name) && random.random_bool(0.5) {
                match self.durable.get(&name) {
                    Some(entry) => self.now.insert(name, *entry),
                    None => self.now.remove(&name),
                };
            }
        }
        self.durable = self.now.clone();
    }
}

/// What survives or does not as one.
const BLOCK: usize = 512;

impl Content {
    /// What was synced survives. Of the rest each block does, or is zeros; and the file may be shorter.
    fn survive(&mut self, random: &mut StdRng) {
        if self.now != self.durable {
            let synced = self.durable.len();
            self.now.truncate(random.random_range(synced..=self.now.len().max(synced)));
            self.now[..synced].copy_from_slice(&self.durable);
            for block in self.now[synced..].chunks_mut(BLOCK) {
                if random.random_bool(0.5) {
                    block.fill(0);
                }
            }
            self.durable = self.now.clone();
        }
    }
}

impl Platter {
    fn sync(&mut self, file: usize) -> io::Result<()> {
        if self.lie.check()? != Lie::SyncFile {
            let file = &mut self.files[file];
            file.durable = file.now.clone();
        }
        Ok(())
    }

    fn dir(&mut self, path: &str) -> io::Result<&mut Dir> {
        self.dirs.get_mut(path).ok_or_else(missing)
    }
}

impl Disk for SimDisk {
    fn make_dir(&self, dir: &str) -> io::Result<()> {
        let (parent, name) = split(dir);
        let mut platter = self.platter()?;
        platter.dir(parent)?.now.insert(name.into(), Entry::Dir);
        platter.dirs.entry(dir.into()).or_default();
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut platter = self.platter()?;
        let honest = platter.lie.check()? != Lie::SyncDir;
        let dir = platter.dir(dir)?;
        if honest {
            dir.durable = dir.now.clone();
        }
        Ok(())
    }

    fn stage(&self, dir: &str) -> io::Result<Box<dyn Staged>> {
        let mut platter = self.platter()?;
        platter.dir(dir)?;
        platter.files.push(Content::default());
        Ok(Box::new(SimStaged { disk: self.clone(), file: platter.files.len() - 1 }))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        let (dir, name) = split(path);
        let mut platter = self.platter()?;
        Ok(platter.dir(dir).is_ok_and(|dir| dir.now.contains_key(name)))
    }

    fn read(&self, path: &str, range: Option<Range<u64>>) -> io::Result<Bytes> {
        let (dir, name) = split(path);
        let mut platter = self.platter()?;
        let Some(Entry::File(file)) = platter.dir(dir)?.now.get(name).copied() else {
            return Err(missing());
        };
        let bytes = &platter.files[file].now;
        let range = range.unwrap_or(0..bytes.len() as u64);
        let (from, to) = ((range.start as usize).min(bytes.len()), (range.end as usize).min(bytes.len()));
        Ok(Bytes::copy_from_slice(&bytes[from..to]))
    }

    fn files(&self, dir: &str) -> io::Result<Vec<(String, u64)>> {
        let mut platter = self.platter()?;
        let entries = platter.dir(dir)?.now.clone();
        let file = |(name, entry): (String, Entry)| match entry {
            Entry::File(file) => Some((name, platter.files[file].now.len() as u64)),
            Entry::Dir => None,
        };
        Ok(entries.into_iter().filter_map(file).collect())
    }

    fn dirs(&self, dir: &str) -> io::Result<Vec<String>> {
        let mut platter = self.platter()?;
        let entries = platter.dir(dir)?.now.iter();
        Ok(entries.filter(|(_, entry)| **entry == Entry::Dir).map(|(name, _)| name.clone()).collect())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let (dir, name) = split(path);
        self.platter()?.dir(dir)?.now.remove(name).map(drop).ok_or_else(missing)
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Appended>> {
        let (dir, name) = split(path);
        let mut platter = self.platter()?;
        let Some(Entry::File(file)) = platter.dir(dir)?.now.get(name).copied() else {
            return Err(missing());
        };
        let end = platter.files[file].now.len().into();
        Ok(Box::new(SimAppended { disk: self.clone(), path: path.into(), file, end }))
    }

    fn appends_atomically(&self) -> io::Result<bool> {
        Ok(self.platter()?.lie != Lie::Append)
    }
}

#[derive(Debug)]
struct SimAppended {
    disk: SimDisk,
    path: String,
    file: usize,
    /// Where this process last saw the end.
    end: AtomicUsize,
}

impl Appended for SimAppended {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut platter = self.disk.platter()?;
        let appends = platter.appends.wrapping_add(1);
        platter.appends = appends;
        let dies = self.disk.operations_left() <= 0;
        let room = if dies || appends % 29 == 0 { bytes.len() / 2 } else { bytes.len() };
        let lies = platter.lie == Lie::Append;
        let now = &mut platter.files[self.file].now;
        let at = if lies { self.end.load(Ordering::Relaxed).min(now.len()) } else { now.len() };
        let over = (now.len() - at).min(room);
        now[at..at + over].copy_from_slice(&bytes[..over]);
        now.extend_from_slice(&bytes[over..room]);
        self.end.store(at + room, Ordering::Relaxed);
        if dies {
            return Err(io::Error::other("this process died in the middle of a write"));
        }
        Ok(room)
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        let platter = self.disk.platter()?;
        let bytes = &platter.files[self.file].now;
        let (from, to) = ((range.start as usize).min(bytes.len()), (range.end as usize).min(bytes.len()));
        Ok(Bytes::copy_from_slice(&bytes[from..to]))
    }

    fn size(&self) -> io::Result<u64> {
        let len = self.disk.platter()?.files[self.file].now.len();
        self.end.store(len, Ordering::Relaxed);
        Ok(len as u64)
    }

    fn is_named(&self) -> io::Result<bool> {
        let (dir, name) = split(&self.path);
        let mut platter = self.disk.platter()?;
        Ok(platter.dir(dir).is_ok_and(|dir| dir.now.get(name) == Some(&Entry::File(self.file))))
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.platter()?.sync(self.file)
    }

    fn punch(&self, range: Range<u64>) -> io::Result<()> {
        let content = &mut self.disk.platter()?.files[self.file];
        for bytes in [&mut content.now, &mut content.durable] {
            let to = bytes.len().min(range.end as usize);
            bytes[(range.start as usize).min(to)..to].fill(0);
        }
        Ok(())
    }
}

struct SimStaged {
    disk: SimDisk,
    file: usize,
}

impl Staged for SimStaged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.platter()?.files[self.file].now.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.platter()?.sync(self.file)
    }

    fn link(&mut self, path: &str) -> io::Result<Link> {
        let (dir, name) = split(path);
        let mut platter = self.disk.platter()?;
        let dir = platter.dir(dir)?;
        if dir.now.contains_key(name) {
            return Ok(Link::Taken);
        }
        dir.now.insert(name.into(), Entry::File(self.file));
        Ok(Link::Made)
    }
}
