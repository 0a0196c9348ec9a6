//! Where a message begins and ends: a tag, a length, a body.
//!
//! A relay looks at [`Header`] and forwards; only who needs a body takes a [`Frame`] and decodes it.
//! Start-up packets have no tag and are read by [`crate::startup`].

mod scanner;

use crate::Error;
pub use scanner::{Piece, Scanner};

/// Bytes of a tag and a length word.
pub const HEADER_LEN: usize = 5;

/// The first five bytes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What kind of message.
    pub tag: u8,
    /// Bytes of the whole frame: tag, length word and body.
    pub len: usize,
}

impl Header {
    /// The header at the start of `input`; `None` while it has fewer than five bytes.
    ///
    /// `len_max` bounds the whole frame, see [`Limits`](crate::Limits).
    ///
    /// # Errors
    /// [`Error::FrameTooShort`] and [`Error::FrameTooLong`], both fatal, as soon as the header is there:
    /// nobody waits for, or makes room for, a body that would be refused.
    #[inline]
    pub fn peek(input: &[u8], len_max: usize) -> Result<Option<Header>, Error> {
        match input.first_chunk() {
            Some(bytes) => Header::parse(*bytes, len_max).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    fn parse([tag, len @ ..]: [u8; HEADER_LEN], len_max: usize) -> Result<Header, Error> {
        let word = u32::from_be_bytes(len);
        if word < 4 {
            return Err(Error::FrameTooShort { tag, len: word });
        }
        let len = word as usize + 1;
        if len > len_max {
            return Err(Error::FrameTooLong { tag, len, max: len_max });
        }
        Ok(Header { tag, len })
    }

    /// Bytes of the body.
    #[inline]
    pub fn body_len(&self) -> usize {
        self.len - HEADER_LEN
    }
}

/// One whole message, borrowed from the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What kind of message.
    pub tag: u8,
    /// Everything after the length word.
    pub body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The frame at the start of `input` and the bytes after it; `None` while it is not all there.
    ///
    /// # Errors
    /// As [`Header::peek`].
    #[inline]
    pub fn split(input: &'a [u8], len_max: usize) -> Result<Option<(Frame<'a>, &'a [u8])>, Error> {
        let Some(header) = Header::peek(input, len_max)? else { return Ok(None) };
        Ok(input
            .split_at_checked(header.len)
            .map(|(frame, rest)| (Frame { tag: header.tag, body: &frame[HEADER_LEN..] }, rest)))
    }

    /// Bytes of the whole frame.
    pub fn len(&self) -> usize {
        self.body.len() + HEADER_LEN
    }

    /// Never: a frame has at least a header.
    pub fn is_empty(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
