//! The few file operations that [`super::Local`] is made of, so that a test can take their place and forget, as a
//! power cut does, whatever was not synced.

mod appended;

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;
use rustix::{
    fs::{AtFlags, CWD, FlockOperation, Mode, OFlags},
    io::Errno,
};

use self::appended::RealAppended;
use super::clip;

/// What came of [`Staged::link`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The name was free and is the file's now.
    Made,
    /// The name is another file's.
    Taken,
}

/// Files under one root. Every path is relative to it; `""` is the root.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Makes a directory; one that is there is fine. Its parent must be there.
    fn make_dir(&self, dir: &str) -> io::Result<()>;
    /// Makes the names in a directory survive a power cut.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
    /// Begins a file without a name.
    fn stage(&self, dir: &str) -> io::Result<Box<dyn Staged>>;
    /// Whether something has this name.
    fn exists(&self, path: &str) -> io::Result<bool>;
    /// The bytes of a file, or those in `range` that exist.
    fn read(&self, path: &str, range: Option<Range<u64>>) -> io::Result<Bytes>;
    /// Names and lengths of the files in a directory, in any order.
    fn files(&self, dir: &str) -> io::Result<Vec<(String, u64)>>;
    /// Names of the directories in a directory, in any order.
    fn dirs(&self, dir: &str) -> io::Result<Vec<String>>;
    /// Takes a file's name away.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Opens a file to append to it; to read it only, where nobody may write.
    fn open(&self, path: &str) -> io::Result<Box<dyn Appended>>;
    /// Whether what any number of processes append to one file comes one after the other, each whole.
    fn appends_atomically(&self) -> io::Result<bool>;
}

/// An open file that grows at its end only.
pub trait Appended: fmt::Debug + Send + Sync {
    /// Appends by one write, after whatever anybody has appended; returns how many bytes there was room for.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;
    /// The bytes in `range` that exist.
    fn read_at(&self, range: Range<u64>) -> io::Result<Bytes>;
    /// Bytes in it.
    fn size(&self) -> io::Result<u64>;
    /// Whether it is still what its name leads to.
    fn is_named(&self) -> io::Result<bool>;
    /// Makes all of it survive a power cut.
    fn sync(&self) -> io::Result<()>;
    /// Makes zeros of a range, which takes no room then.
    fn punch(&self, range: Range<u64>) -> io::Result<()>;
}

/// A file that has no name yet. Dropped without one, it is gone.
pub trait Staged: Send {
    /// Appends bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the bytes written so far survive a power cut.
    fn sync(&mut self) -> io::Result<()>;
    /// Gives it a name, unless that is taken. Atomic among all processes.
    fn link(&mut self, path: &str) -> io::Result<Link>;
}

/// Names that begin so are being staged where the file system has no nameless files.
const STAGE_PREFIX: &str = ".stage-";

/// The files of this machine.
#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
    /// Cleared at the first sign that the file system (or the absence of /proc) does not allow nameless files.
    nameless: AtomicBool,
    staged: AtomicU64,
}

impl RealDisk {
    /// Files under `root`, which is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or is no directory.
    pub fn new(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let root = root.canonicalize()?;
        if let Some(parent) = root.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self { root, nameless: AtomicBool::new(true), staged: AtomicU64::new(0) })
    }

    /// The same, on a file system whose nameless files cannot be given a name. Most that have this fault say so by
    /// themselves; what is staged has a name that begins with `.stage-`, and is swept if its process dies.
    #[must_use]
    pub fn staging_by_name(self) -> Self {
        self.nameless.store(false, Ordering::Relaxed);
        self
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    fn stage_nameless(&self, dir: &str) -> io::Result<RealStaged> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(self.path(dir), flags, mode())?);
        let name = format!("/proc/self/fd/{}", file.as_raw_fd());
        // Without /proc the file could never get its name.
        fs::symlink_metadata(&name)?;
        Ok(RealStaged { file, root: self.root.clone(), name: Name::Descriptor(name.into()) })
    }

    fn stage_named(&self, dir: &str) -> io::Result<RealStaged> {
        let number = self.staged.fetch_add(1, Ordering::Relaxed);
        let path = self.path(dir).join(format!("{STAGE_PREFIX}{}-{number}", std::process::id()));
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(&path, flags, mode())?);
        // Held until the file is closed: tells `sweep` that somebody still works on it.
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(RealStaged { file, root: self.root.clone(), name: Name::Staging(path) })
    }

    /// Deletes a staging file whose process is gone.
    fn sweep(path: &Path) -> io::Result<()> {
        let file: OwnedFd = File::open(path)?.into();
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => fs::remove_file(path),
            Err(Errno::WOULDBLOCK) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn entries(&self, dir: &str) -> io::Result<impl Iterator<Item = io::Result<(String, fs::Metadata)>>> {
        Ok(fs::read_dir(self.path(dir))?.filter_map(|entry| {
            let found = entry.and_then(|entry| Ok((entry.file_name(), entry.metadata()?)));
            match found {
                Ok((name, meta)) => Some(Ok((name.to_string_lossy().into_owned(), meta))),
                // Deleted between the two calls.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => Some(Err(error)),
            }
        }))
    }
}

/// Swept by somebody else, or to be swept by somebody who may.
fn is_not_ours_to_sweep(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), NotFound | PermissionDenied | ReadOnlyFilesystem)
}

fn mode() -> Mode {
    Mode::RUSR | Mode::WUSR | Mode::RGRP
}

impl Disk for RealDisk {
    fn make_dir(&self, dir: &str) -> io::Result<()> {
        match fs::create_dir(self.path(dir)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        File::open(self.path(dir))?.sync_all()
    }

    fn stage(&self, dir: &str) -> io::Result<Box<dyn Staged>> {
        if self.nameless.load(Ordering::Relaxed) {
            match self.stage_nameless(dir) {
                Ok(staged) => return Ok(Box::new(staged)),
                Err(error) if !self.path(dir).exists() => return Err(error),
                Err(error) if lacks_nameless_files(&error) => self.nameless.store(false, Ordering::Relaxed),
                Err(error) => return Err(error),
            }
        }
        Ok(Box::new(self.stage_named(dir)?))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        fs::exists(self.path(path))
    }

    fn read(&self, path: &str, range: Option<Range<u64>>) -> io::Result<Bytes> {
        let mut file = File::open(self.path(path))?;
        let part = clip(range, file.metadata()?.len());
        file.seek(SeekFrom::Start(part.start))?;
        let mut bytes = Vec::with_capacity((part.end - part.start) as usize);
        file.take(part.end - part.start).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    fn files(&self, dir: &str) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in self.entries(dir)? {
            let (name, meta) = entry?;
            if name.starts_with(STAGE_PREFIX) {
                match Self::sweep(&self.path(dir).join(&name)) {
                    Err(error) if !is_not_ours_to_sweep(&error) => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            } else if meta.is_file() {
                files.push((name, meta.len()));
            }
        }
        Ok(files)
    }

    fn dirs(&self, dir: &str) -> io::Result<Vec<String>> {
        let entries = self.entries(dir)?;
        let dirs = entries.filter(|e| e.as_ref().map_or(true, |(_, meta)| meta.is_dir()));
        dirs.map(|e| e.map(|(name, _)| name)).collect()
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Appended>> {
        Ok(Box::new(RealAppended::open(self.path(path))?))
    }

    #[cfg(target_os = "linux")]
    fn appends_atomically(&self) -> io::Result<bool> {
        let kind = rustix::fs::statfs(&self.root)?.f_type;
        Ok(ATOMIC_APPENDS.contains(&(kind as u32)))
    }

    #[cfg(not(target_os = "linux"))]
    fn appends_atomically(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// File systems of one machine, on which `O_APPEND` is atomic: their numbers in `statfs(2)`.
#[cfg(target_os = "linux")]
const ATOMIC_APPENDS: [u32; 9] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // Btrfs
    0x2fc1_2fc1, // ZFS
    0xf2f5_2010, // F2FS
    0xca45_1a4e, // bcachefs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlayfs
];

fn lacks_nameless_files(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(code, Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT))
}

struct RealStaged {
    file: File,
    root: PathBuf,
    name: Name,
}

/// What a staged file can be linked from.
enum Name {
    /// Its descriptor, as /proc shows it.
    Descriptor(PathBuf),
    /// Its name while it is staged; goes away with it.
    Staging(PathBuf),
}

impl Staged for RealStaged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn link(&mut self, path: &str) -> io::Result<Link> {
        let to = self.root.join(path);
        let linked = match &self.name {
            Name::Descriptor(from) => rustix::fs::linkat(CWD, from, CWD, &to, AtFlags::SYMLINK_FOLLOW),
            Name::Staging(from) => rustix::fs::linkat(CWD, from, CWD, &to, AtFlags::empty()),
        };
        match linked {
            Ok(()) => Ok(Link::Made),
            Err(Errno::EXIST) => Ok(Link::Taken),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for RealStaged {
    fn drop(&mut self) {
        if let Name::Staging(path) = &self.name
            && let Err(error) = fs::remove_file(path)
        {
            tracing::warn!(path = %path.display(), %error, "a staging file stays behind");
        }
    }
}
