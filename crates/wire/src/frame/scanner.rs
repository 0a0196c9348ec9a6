//! Following frames through chunks that begin and end anywhere, without holding any of their bytes.

use super::{HEADER_LEN, Header};
use crate::Error;

/// Follows one direction of a stream. Needs 24 bytes, however long the frames are.
#[derive(Debug, Clone, Default)]
pub struct Scanner {
    /// The beginning of a header that the last chunk cut off.
    partial: [u8; HEADER_LEN],
    partial_len: u8,
    tag: u8,
    /// Bytes of the current frame still to come.
    body_left: usize,
}

/// A run of bytes at the start of a chunk that belongs to one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The frame's header, in the piece that completes it; the frame's bytes before it may be in older chunks.
    pub header: Option<Header>,
    /// The frame's tag; `None` while less than the five bytes of its header have been seen.
    pub tag: Option<u8>,
    /// Bytes of the chunk.
    pub len: usize,
    /// Whether the frame ends with this piece.
    pub ends: bool,
}

impl Scanner {
    /// The first piece of `chunk`; `None` when the chunk is empty. Go on with the chunk after [`Piece::len`].
    ///
    /// # Errors
    /// As [`Header::peek`]; the stream cannot be followed any further.
    #[inline]
    pub fn next(&mut self, chunk: &[u8], len_max: usize) -> Result<Option<Piece>, Error> {
        if chunk.is_empty() {
            return Ok(None);
        }
        if self.body_left > 0 {
            let len = self.body_left.min(chunk.len());
            self.body_left -= len;
            return Ok(Some(Piece { header: None, tag: Some(self.tag), len, ends: self.body_left == 0 }));
        }
        self.head(chunk, len_max).map(Some)
    }

    fn head(&mut self, chunk: &[u8], len_max: usize) -> Result<Piece, Error> {
        let have = usize::from(self.partial_len);
        let taken = (HEADER_LEN - have).min(chunk.len());
        self.partial[have..have + taken].copy_from_slice(&chunk[..taken]);
        if have + taken < HEADER_LEN {
            self.partial_len += taken as u8;
            return Ok(Piece { header: None, tag: None, len: taken, ends: false });
        }
        let header = Header::parse(self.partial, len_max)?;
        let len = taken + header.body_len().min(chunk.len() - taken);
        self.partial_len = 0;
        self.tag = header.tag;
        self.body_left = header.body_len() - (len - taken);
        Ok(Piece { header: Some(header), tag: Some(header.tag), len, ends: self.body_left == 0 })
    }

    /// Whether the stream stands between two frames.
    pub fn at_boundary(&self) -> bool {
        self.body_left == 0 && self.partial_len == 0
    }
}
