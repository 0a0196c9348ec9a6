//! A compiled statement that can be left open between rows.

use std::ffi::{CStr, c_char, c_int};
use std::slice;
use std::sync::Arc;

use rusqlite::ffi;

use super::{Failure, Owner, failure, too_big};

/// One compiled statement. It keeps its connection open.
pub(in super::super) struct Statement {
    raw: *mut ffi::sqlite3_stmt,
    owner: Arc<Owner>,
}

// SAFETY: used by one thread at a time, together with its connection (the parent module's invariant).
unsafe impl Send for Statement {}

/// A value as SQLite holds it, valid until the next step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) enum ValueRef<'a> {
    /// SQL NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A double.
    Real(f64),
    /// Text; UTF-8 unless a client stored something else.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

impl Statement {
    pub(super) fn new(raw: *mut ffi::sqlite3_stmt, owner: Arc<Owner>) -> Self {
        Self { raw, owner }
    }

    /// Goes to the next row; `false` at the end.
    pub fn step(&mut self) -> Result<bool, Failure> {
        // SAFETY: the statement is live.
        match unsafe { ffi::sqlite3_step(self.raw) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(failure(self.owner.0, code)),
        }
    }

    /// Ends the execution, so that its locks go, and forgets the parameters.
    pub fn reset(&mut self) {
        // SAFETY: the statement is live. The result repeats the last step's error, which has been reported.
        unsafe {
            ffi::sqlite3_reset(self.raw);
            ffi::sqlite3_clear_bindings(self.raw);
        }
    }

    /// Ends the execution but keeps the parameters, to run it again.
    pub fn rewind(&mut self) {
        // SAFETY: the statement is live.
        unsafe { ffi::sqlite3_reset(self.raw) };
    }

    /// Whether it changes the database file.
    pub fn writes(&self) -> bool {
        // SAFETY: the statement is live.
        unsafe { ffi::sqlite3_stmt_readonly(self.raw) == 0 }
    }

    /// Columns of the result; 0 for statements without one.
    pub fn column_count(&self) -> usize {
        // SAFETY: the statement is live.
        usize::try_from(unsafe { ffi::sqlite3_column_count(self.raw) }).unwrap_or(0)
    }

    /// Name of a result column.
    pub fn column_name(&self, column: usize) -> String {
        // SAFETY: the statement is live; an index out of range gives null.
        unsafe { copied(ffi::sqlite3_column_name(self.raw, index(column))) }.unwrap_or_default()
    }

    /// The declared type of the table column behind a result column; `None` for an expression.
    pub fn declared_type(&self, column: usize) -> Option<String> {
        // SAFETY: as above.
        unsafe { copied(ffi::sqlite3_column_decltype(self.raw, index(column))) }
    }

    /// Schema, table and column behind a result column.
    pub fn origin(&self, column: usize) -> Option<(String, String, String)> {
        let column = index(column);
        // SAFETY: as above.
        unsafe {
            let schema = copied(ffi::sqlite3_column_database_name(self.raw, column))?;
            let table = copied(ffi::sqlite3_column_table_name(self.raw, column))?;
            let origin = copied(ffi::sqlite3_column_origin_name(self.raw, column))?;
            Some((schema, table, origin))
        }
    }

    /// A value of the current row.
    pub fn value(&self, column: usize) -> ValueRef<'_> {
        let column = index(column);
        // SAFETY: the statement is live and on a row; pointer and length belong together and stay valid until the next
        // step or reset, both of which need `&mut self`.
        unsafe {
            match ffi::sqlite3_column_type(self.raw, column) {
                ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_column_int64(self.raw, column)),
                ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_column_double(self.raw, column)),
                ffi::SQLITE_TEXT => {
                    let pointer = ffi::sqlite3_column_text(self.raw, column);
                    ValueRef::Text(bytes(pointer, ffi::sqlite3_column_bytes(self.raw, column)))
                }
                ffi::SQLITE_BLOB => {
                    let pointer = ffi::sqlite3_column_blob(self.raw, column).cast();
                    ValueRef::Blob(bytes(pointer, ffi::sqlite3_column_bytes(self.raw, column)))
                }
                _null => ValueRef::Null,
            }
        }
    }

    /// Number of distinct parameters.
    pub fn parameter_count(&self) -> usize {
        // SAFETY: the statement is live.
        usize::try_from(unsafe { ffi::sqlite3_bind_parameter_count(self.raw) }).unwrap_or(0)
    }

    /// Name of a parameter (from 1), with its prefix; `None` for a bare question mark.
    pub fn parameter_name(&self, parameter: usize) -> Option<String> {
        // SAFETY: the statement is live; an index out of range gives null.
        unsafe { copied(ffi::sqlite3_bind_parameter_name(self.raw, index(parameter))) }
    }

    /// Sets a parameter (from 1).
    pub fn bind(&mut self, parameter: usize, value: ValueRef<'_>) -> Result<(), Failure> {
        let parameter = index(parameter);
        // SAFETY: the statement is live; SQLite copies text and blobs (TRANSIENT) during the call.
        let code = unsafe {
            match value {
                ValueRef::Null => ffi::sqlite3_bind_null(self.raw, parameter),
                ValueRef::Integer(value) => ffi::sqlite3_bind_int64(self.raw, parameter, value),
                ValueRef::Real(value) => ffi::sqlite3_bind_double(self.raw, parameter, value),
                ValueRef::Text(value) => {
                    let length = c_int::try_from(value.len()).map_err(|_| too_big())?;
                    let pointer = value.as_ptr().cast();
                    ffi::sqlite3_bind_text(self.raw, parameter, pointer, length, ffi::SQLITE_TRANSIENT())
                }
                ValueRef::Blob([]) => ffi::sqlite3_bind_zeroblob(self.raw, parameter, 0),
                ValueRef::Blob(value) => {
                    let length = c_int::try_from(value.len()).map_err(|_| too_big())?;
                    let pointer = value.as_ptr().cast();
                    ffi::sqlite3_bind_blob(self.raw, parameter, pointer, length, ffi::SQLITE_TRANSIENT())
                }
            }
        };
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(failure(self.owner.0, code)) }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: the statement is live and finalized once; `owner` still holds the connection.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}

fn index(position: usize) -> c_int {
    c_int::try_from(position).unwrap_or(c_int::MAX)
}

/// # Safety
/// `pointer` is null or a NUL-terminated string that stays valid during the call.
unsafe fn copied(pointer: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}

/// # Safety
/// `pointer` is null or points to `length` bytes that stay valid for `'a`.
unsafe fn bytes<'a>(pointer: *const u8, length: c_int) -> &'a [u8] {
    match usize::try_from(length) {
        // SAFETY: the caller's promise.
        Ok(length) if length > 0 && !pointer.is_null() => unsafe { slice::from_raw_parts(pointer, length) },
        _empty => &[],
    }
}
