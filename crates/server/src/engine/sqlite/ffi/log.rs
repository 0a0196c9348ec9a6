//! The write-ahead log, read through SQLite's own file handle.
//!
//! A second descriptor on the same file would drop SQLite's POSIX locks when closed, so there is none.

use std::ffi::{c_int, c_void};
use std::ptr;

use rusqlite::ffi;

use super::{Connection, Failure, failure};

impl Connection {
    /// Fills `buffer` from the log at `offset`. Only for frames known to be committed.
    pub fn read_log(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        self.read(ffi::SQLITE_FCNTL_JOURNAL_POINTER, offset, buffer)
    }

    /// Fills `buffer` from the image at `offset`; zeros past its end, as SQLite sees it. Only between checkpoints.
    pub fn read_image(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        match self.read(ffi::SQLITE_FCNTL_FILE_POINTER, offset, buffer) {
            // SQLite has filled the rest with zeros.
            Err(failure) if failure.code == ffi::SQLITE_IOERR_SHORT_READ => Ok(()),
            done => done,
        }
    }

    fn read(&self, which: c_int, offset: u64, buffer: &mut [u8]) -> Result<(), Failure> {
        let (Ok(length), Ok(at)) = (c_int::try_from(buffer.len()), i64::try_from(offset)) else {
            return Err(Failure {
                code: ffi::SQLITE_TOOBIG,
                message: format!("nothing stands at {offset}"),
                offset: None,
            });
        };
        let file = self.file(which)?;
        // SAFETY: the file is open as long as this connection is, its methods are set (checked in `file`), and `buffer` has
        // `length` bytes. This connection is used by one thread at a time.
        let code = unsafe {
            match (*(*file).pMethods).xRead {
                Some(read) => read(file, buffer.as_mut_ptr().cast::<c_void>(), length, at),
                None => ffi::SQLITE_IOERR_READ,
            }
        };
        if code == ffi::SQLITE_OK {
            return Ok(());
        }
        Err(Failure { code, message: format!("cannot read {length} bytes at {offset}"), offset: None })
    }

    fn file(&self, which: c_int) -> Result<*mut ffi::sqlite3_file, Failure> {
        let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
        // SAFETY: the handle is open; these operations store a file pointer into their argument.
        let code = unsafe {
            let argument = (&raw mut file).cast::<c_void>();
            ffi::sqlite3_file_control(self.handle(), c"main".as_ptr(), which, argument)
        };
        if code != ffi::SQLITE_OK {
            return Err(failure(self.handle(), code));
        }
        // SAFETY: a non-null file points to SQLite's own structure; `pMethods` is null while the file is not open.
        if file.is_null() || unsafe { (*file).pMethods.is_null() } {
            return Err(Failure {
                code: ffi::SQLITE_CANTOPEN,
                message: "the file is not open".to_owned(),
                offset: None,
            });
        }
        Ok(file)
    }

    /// Copies the whole log into the image and empties it; `false` when somebody was in the way.
    pub fn checkpoint(&self) -> Result<bool, Failure> {
        let (mut log, mut moved) = (0, 0);
        // SAFETY: the handle is open, the schema name is NUL-terminated, both counters are valid.
        let code = unsafe {
            ffi::sqlite3_wal_checkpoint_v2(
                self.handle(),
                c"main".as_ptr(),
                ffi::SQLITE_CHECKPOINT_TRUNCATE,
                &raw mut log,
                &raw mut moved,
            )
        };
        match code & 0xff {
            ffi::SQLITE_OK => Ok(true),
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Ok(false),
            _other => Err(failure(self.handle(), code)),
        }
    }
}
