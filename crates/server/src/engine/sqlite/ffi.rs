//! The one place that talks to SQLite's C interface: connections and what the safe binding does not offer.
//!
//! The safe binding keeps functions, hooks and limits ([`Connection::binding`]); statements are ours ([`Statement`]), because a
//! session suspends them in the middle of a result, which the binding's borrows forbid.
//!
//! Invariant: a connection and its statements live in one owner (a session, or the commit side behind its lock) and move
//! between threads only together with it. SQLite is opened in multi-thread mode on that promise.
#![allow(unsafe_code, reason = "SQLite's C interface")]

mod log;
mod statement;

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use rusqlite::ffi;

pub(super) use self::statement::{Statement, ValueRef};

/// SQLite said no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (SQLite code {code})")]
pub(super) struct Failure {
    /// The extended result code.
    pub code: i32,
    /// SQLite's words.
    pub message: String,
    /// Byte offset of the offending token in the prepared text, when known.
    pub offset: Option<usize>,
}

impl Failure {
    /// The low byte of the code, which classes the extended codes.
    pub fn primary(&self) -> i32 {
        self.code & 0xff
    }
}

// The binding leaves it out, as its own handles never outlive their statements.
unsafe extern "C" {
    fn sqlite3_close_v2(handle: *mut ffi::sqlite3) -> c_int;
}

/// Closes the handle when the last of connection and statements is gone.
#[derive(Debug)]
struct Owner(*mut ffi::sqlite3);

// SAFETY: the handle may be used from any one thread at a time (multi-thread mode), which the module's invariant gives.
unsafe impl Send for Owner {}
// SAFETY: as above; sharing an `Arc<Owner>` only keeps the handle open, calls go through the one owner of the connection.
unsafe impl Sync for Owner {}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: the handle came from sqlite3_open_v2 and is closed once. close_v2 tolerates leftovers.
        unsafe { sqlite3_close_v2(self.0) };
    }
}

/// What `sqlite3_prepare` made of a text.
pub(super) struct Compiled {
    /// `None` when there was only white space or comment.
    pub statement: Option<Statement>,
    /// Byte offset just past the first statement.
    pub end: usize,
}

/// A connection to one database file.
pub(super) struct Connection {
    binding: rusqlite::Connection,
    owner: Arc<Owner>,
}

impl Connection {
    /// Opens `path` with SQLite's heap-memory index for the log: all connections of a file are in this process.
    pub fn open(path: &Path, create: bool) -> Result<Self, Failure> {
        let text = path.to_str().and_then(|path| CString::new(path).ok());
        let Some(text) = text else {
            return Err(Failure {
                code: ffi::SQLITE_CANTOPEN,
                message: format!("not a usable path: {}", path.display()),
                offset: None,
            });
        };
        let create = if create { ffi::SQLITE_OPEN_CREATE } else { 0 };
        let flags =
            ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_NOMUTEX | ffi::SQLITE_OPEN_EXRESCODE | create;
        let vfs: *const c_char = if cfg!(unix) { c"unix-excl".as_ptr() } else { ptr::null() };
        let mut handle = ptr::null_mut();
        // SAFETY: both strings are NUL-terminated and outlive the call; `handle` receives the connection even on failure.
        let code = unsafe { ffi::sqlite3_open_v2(text.as_ptr(), &raw mut handle, flags, vfs) };
        let owner = Owner(handle);
        if code != ffi::SQLITE_OK {
            return Err(failure(handle, code));
        }
        // SAFETY: the handle is open, and `owner` is dropped after `binding`, which does not close it.
        let binding = unsafe { rusqlite::Connection::from_handle(handle) };
        let binding = binding.map_err(|error| Failure {
            code: ffi::SQLITE_ERROR,
            message: error.to_string(),
            offset: None,
        })?;
        Ok(Self { binding, owner: Arc::new(owner) })
    }

    /// Gives the main schema PostgreSQL's name; `main` goes on to work.
    pub fn name_main_public(&self) -> Result<(), Failure> {
        // SAFETY: the handle is open; this operation takes one string, which must outlive the connection and is static.
        let code = unsafe {
            ffi::sqlite3_db_config(self.handle(), ffi::SQLITE_DBCONFIG_MAINDBNAME, c"public".as_ptr())
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(failure(self.handle(), code)) }
    }

    /// The safe binding, for functions, hooks and limits.
    pub fn binding(&mut self) -> &mut rusqlite::Connection {
        &mut self.binding
    }

    fn handle(&self) -> *mut ffi::sqlite3 {
        self.owner.0
    }

    /// Compiles the first statement of `sql`. `keep` tells SQLite that the statement will be used many times.
    pub fn prepare(&self, sql: &str, keep: bool) -> Result<Compiled, Failure> {
        let flags = if keep { ffi::SQLITE_PREPARE_PERSISTENT } else { 0 };
        let length = c_int::try_from(sql.len()).map_err(|_| too_big())?;
        let mut raw = ptr::null_mut();
        let mut tail = ptr::null();
        // SAFETY: pointer and length describe `sql`; SQLite copies what it keeps; both out pointers are valid.
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                self.handle(),
                sql.as_ptr().cast(),
                length,
                flags,
                &raw mut raw,
                &raw mut tail,
            )
        };
        if code != ffi::SQLITE_OK {
            return Err(failure(self.handle(), code));
        }
        let end = (tail as usize).saturating_sub(sql.as_ptr() as usize).min(sql.len());
        let statement = (!raw.is_null()).then(|| Statement::new(raw, Arc::clone(&self.owner)));
        Ok(Compiled { statement, end })
    }

    /// Runs every statement of `sql` to its end.
    pub fn execute(&self, sql: &str) -> Result<(), Failure> {
        let mut rest = sql;
        while !rest.trim().is_empty() {
            let compiled = self.prepare(rest, false)?;
            if let Some(mut statement) = compiled.statement {
                while statement.step()? {}
            }
            rest = &rest[compiled.end..];
        }
        Ok(())
    }

    /// True outside a transaction. SQLite itself leaves one on some errors.
    pub fn autocommit(&self) -> bool {
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_get_autocommit(self.handle()) != 0 }
    }

    /// Rows changed by the last INSERT, UPDATE or DELETE that finished.
    pub fn changes(&self) -> i64 {
        // SAFETY: the handle is open.
        unsafe { ffi::sqlite3_changes64(self.handle()) }
    }

    /// The error that the last failed call left, for calls that went through the binding.
    pub fn last_failure(&self) -> Failure {
        // SAFETY: the handle is open.
        let code = unsafe { ffi::sqlite3_extended_errcode(self.handle()) };
        failure(self.handle(), code)
    }
}

/// The words and place that belong to `code`, just returned by a call on `handle`.
fn failure(handle: *mut ffi::sqlite3, code: c_int) -> Failure {
    if handle.is_null() {
        return Failure { code, message: "out of memory".to_owned(), offset: None };
    }
    // SAFETY: the handle is open; the message is valid until the next call on it and is copied here.
    unsafe {
        let message = text(ffi::sqlite3_errmsg(handle));
        let offset = usize::try_from(ffi::sqlite3_error_offset(handle)).ok();
        Failure { code, message, offset }
    }
}

fn too_big() -> Failure {
    Failure { code: ffi::SQLITE_TOOBIG, message: "string or blob too big".to_owned(), offset: None }
}

/// Copies a C string; null becomes the empty text.
///
/// # Safety
/// `pointer` is null or a NUL-terminated string that stays valid during the call.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// Bounds what SQLite allocates in this process; 0 lifts the bound.
pub(super) fn limit_memory(bytes: u64) {
    // SAFETY: a process-wide setting without pointers; SQLite initialises itself.
    unsafe { ffi::sqlite3_hard_heap_limit64(i64::try_from(bytes).unwrap_or(i64::MAX)) };
}
