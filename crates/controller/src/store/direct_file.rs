//! A long file that is written beside others which must not wait for it.
//!
//! It goes to the disk in small pieces, with a pause after each as long as the piece took, and past the page cache where
//! the file system lets it (`O_DIRECT`): dirty pages by the hundred megabytes make the kernel hold up whoever writes
//! anything, and a sync of another file may have to wait for all of them. Elsewhere each piece is synced.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    thread::sleep,
    time::Instant,
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
};

use crate::limits::IMAGE_PIECE_BYTES;

/// What the kernel may ask of places and lengths that are written past the page cache.
const ALIGNMENT: usize = 4096;

/// The file, from its making until [`finish`](Self::finish).
pub struct DirectFile {
    file: File,
    /// Whether the page cache is passed by.
    direct: bool,
    /// Room for one piece at an aligned place.
    room: Vec<u8>,
    /// Where in the room that is.
    begin: usize,
    /// How much of the piece is there.
    len: usize,
    /// Where in the file it belongs.
    at: u64,
}

impl DirectFile {
    /// Makes the file, or empties it.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        let directly = options.clone().custom_flags(OFlags::DIRECT.bits().cast_signed()).open(path);
        let (file, direct) = match directly {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => (options.open(path)?, false),
            opened => (opened?, true),
        };
        let room = vec![0; IMAGE_PIECE_BYTES + ALIGNMENT];
        let begin = room.as_ptr().align_offset(ALIGNMENT);
        Ok(Self { file, direct, room, begin, len: 0, at: 0 })
    }

    /// Makes all of it durable.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn finish(mut self) -> io::Result<()> {
        self.write_rest()?;
        self.file.sync_all()
    }

    /// A whole piece.
    fn write_piece(&mut self) -> io::Result<()> {
        let began = Instant::now();
        let piece = &self.room[self.begin..][..self.len];
        match self.file.write_all_at(piece, self.at) {
            // Some file systems say so only now.
            Err(error) if self.direct && Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                self.through_cache()?;
                self.file.write_all_at(&self.room[self.begin..][..self.len], self.at)?;
            }
            written => written?,
        }
        if !self.direct {
            self.file.sync_data()?;
        }
        self.at += self.len as u64;
        self.len = 0;
        sleep(began.elapsed());
        Ok(())
    }

    /// What is no whole piece.
    fn write_rest(&mut self) -> io::Result<()> {
        self.through_cache()?;
        self.file.write_all_at(&self.room[self.begin..][..self.len], self.at)?;
        self.at += self.len as u64;
        self.len = 0;
        Ok(())
    }

    fn through_cache(&mut self) -> io::Result<()> {
        if self.direct {
            fcntl_setfl(&self.file, fcntl_getfl(&self.file)? - OFlags::DIRECT)?;
            self.direct = false;
        }
        Ok(())
    }
}

impl Write for DirectFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(IMAGE_PIECE_BYTES - self.len);
        self.room[self.begin + self.len..][..taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
        if self.len == IMAGE_PIECE_BYTES {
            self.write_piece()?;
        }
        Ok(taken)
    }

    /// Nothing: see [`DirectFile::finish`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for DirectFile {
    /// For what is written last, such as a checksum at the beginning.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.write_rest()?;
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.metadata()?.len().checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_any_length_is_what_was_written_and_what_was_changed_in_it_last() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("long");
        let piece = IMAGE_PIECE_BYTES;
        for length in [12, 13, 4096, piece - 1, piece, piece + 1, 3 * piece, 3 * piece + 4097] {
            let mut bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut file = DirectFile::create(&path).expect("a file");
            // In pieces of its own.
            for part in bytes.chunks(5000) {
                file.write_all(part).expect("room");
            }
            assert_eq!(file.seek(SeekFrom::Start(8)).expect("a place"), 8);
            file.write_all(b"sum!").expect("room");
            file.finish().expect("a disk");
            bytes[8..12].copy_from_slice(b"sum!");
            assert!(std::fs::read(&path).expect("readable") == bytes, "of {length} bytes");
        }
    }
}
