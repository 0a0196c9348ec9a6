//! COPY's data formats, both ways: lines of text, CSV, and PostgreSQL's binary files.
//!
//! Pure: bytes in, cells out, and back. What the cells mean is the session's business.

mod read;
mod write;

pub(super) use self::read::{Cell, Reader};
pub(super) use self::write::Writer;

/// The first bytes of a binary file.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

#[cfg(test)]
mod tests;
