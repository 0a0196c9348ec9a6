//! A file of this machine, open to append to.

use std::{
    fs::{self, File},
    io::{self, Write},
    ops::Range,
    os::unix::fs::{FileExt, MetadataExt},
    path::PathBuf,
};

use bytes::Bytes;

use super::Appended;

#[derive(Debug)]
pub(super) struct RealAppended {
    file: File,
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl RealAppended {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let file = match File::options().read(true).append(true).open(&path) {
            Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => File::open(&path),
            opened => opened,
        }?;
        let meta = file.metadata()?;
        Ok(Self { file, path, device: meta.dev(), inode: meta.ino() })
    }
}

impl Appended for RealAppended {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match (&self.file).write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Opened when nobody might write.
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::BADF.raw_os_error()) => {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                written => return written,
            }
        }
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let mut have = 0;
        while have < bytes.len() {
            match self.file.read_at(&mut bytes[have..], range.start + have as u64) {
                Ok(0) => break,
                Ok(read) => have += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(have);
        Ok(bytes.into())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn is_named(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(meta) => Ok((meta.dev(), meta.ino()) == (self.device, self.inode)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    #[cfg(target_os = "linux")]
    fn punch(&self, range: Range<u64>) -> io::Result<()> {
        use rustix::{
            fs::{FallocateFlags, fallocate},
            io::Errno,
        };
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(&self.file, flags, range.start, range.end - range.start) {
            // It keeps its room, then.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// No portable way: it keeps its room.
    #[cfg(not(target_os = "linux"))]
    fn punch(&self, _: Range<u64>) -> io::Result<()> {
        Ok(())
    }
}
