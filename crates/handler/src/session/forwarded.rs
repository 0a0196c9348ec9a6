//! What a client has got of an answer that is not complete: with it, another server can go on where one was cut off.
//!
//! The next server gives the whole answer: from what was kept for a request that was done, or by doing one that was not.
//! If it begins with the bytes that the client has, the client gets the rest and has read that very answer.
//! If it does not, nothing sensible can be told.

use wire::Header;

use crate::limits::FORWARDED_BYTES_MAX;

/// The beginning of an answer.
#[derive(Debug, Default)]
pub(super) struct Forwarded {
    bytes: Vec<u8>,
    /// So much of it the present server has said as well.
    repeated: usize,
    /// The client has got more than was kept.
    beyond: bool,
    /// When the last server went, the client was left within a message.
    mid: bool,
}

/// A server answers otherwise than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Different;

impl Forwarded {
    /// Whether the client has got nothing of an incomplete answer.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.beyond
    }

    /// Whether the client has got nothing but messages that every server answers alike: that its statement was parsed,
    /// bound and described. To be asked between two messages.
    pub(super) fn is_preamble(&self) -> bool {
        use wire::backend::tag::{
            BIND_COMPLETE, CLOSE_COMPLETE, NO_DATA, PARAMETER_DESCRIPTION, PARSE_COMPLETE, ROW_DESCRIPTION,
        };
        let alike =
            [PARSE_COMPLETE, BIND_COMPLETE, CLOSE_COMPLETE, PARAMETER_DESCRIPTION, ROW_DESCRIPTION, NO_DATA];
        let mut rest = &self.bytes[..];
        while let Ok(Some(header)) = Header::peek(rest, FORWARDED_BYTES_MAX) {
            if !alike.contains(&header.tag) || header.len > rest.len() {
                return false;
            }
            rest = &rest[header.len..];
        }
        rest.is_empty() && !self.beyond
    }

    /// Whether the client has got more than was kept.
    pub(super) fn is_beyond(&self) -> bool {
        self.beyond
    }

    /// Whether the client is within a message, other than by what the present server has said.
    pub(super) fn mid(&self) -> Option<bool> {
        (self.repeated < self.bytes.len()).then_some(self.mid)
    }

    /// A server's bytes are about to go on. `since` is where the answer that is not complete begins in them, after the
    /// last complete one; `answering` tells whether there is one. Gives how many of the bytes the client has already.
    ///
    /// # Errors
    /// [`Different`] when they are not those that it has.
    pub(super) fn pass(&mut self, bytes: &[u8], since: usize, answering: bool) -> Result<usize, Different> {
        let expected = &self.bytes[self.repeated..];
        let known = expected.len().min(bytes.len());
        if expected[..known] != bytes[..known] {
            return Err(Different);
        }
        self.repeated += known;
        if since > 0 {
            self.clear();
        }
        if self.repeated < self.bytes.len() {
            return Ok(known);
        }
        if answering {
            self.keep(&bytes[since.max(known)..]);
        } else {
            self.clear();
        }
        Ok(known)
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.beyond || self.bytes.len() + bytes.len() > FORWARDED_BYTES_MAX {
            *self = Self { beyond: true, ..Self::default() };
        } else {
            self.bytes.extend_from_slice(bytes);
            self.repeated = self.bytes.len();
        }
    }

    /// The server is gone; `mid` tells whether the client is left within a message.
    pub(super) fn cut(&mut self, mid: bool) {
        self.repeated = 0;
        self.mid = mid;
    }

    /// The answer is complete, or will never be.
    pub(super) fn clear(&mut self) {
        if !self.is_empty() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_server_goes_on_where_the_last_one_was_cut_off() {
        let mut forwarded = Forwarded::default();
        assert_eq!(forwarded.pass(b"[answer][beg", 8, true), Ok(0));
        forwarded.cut(true);
        assert_eq!(forwarded.mid(), Some(true));
        assert_eq!(forwarded.pass(b"[b", 0, true), Ok(2));
        assert_eq!(forwarded.mid(), Some(true));
        assert_eq!(forwarded.pass(b"egin", 0, true), Ok(2));
        assert_eq!(forwarded.mid(), None);
        forwarded.cut(false);
        assert_eq!(forwarded.pass(b"[begin][next", 7, true), Ok(6), "it has got what came meanwhile, too");
        forwarded.cut(false);
        assert_eq!(forwarded.pass(b"[next]", 6, false), Ok(5));
        assert!(forwarded.is_empty());
    }

    #[test]
    fn another_answer_is_not_mixed_with_it() {
        let mut forwarded = Forwarded::default();
        assert_eq!(forwarded.pass(b"row 1", 0, true), Ok(0));
        forwarded.cut(false);
        assert_eq!(forwarded.pass(b"row 2", 0, true), Err(Different));
        let mut forwarded = Forwarded::default();
        assert_eq!(forwarded.pass(b"row 1", 0, true), Ok(0));
        forwarded.cut(false);
        assert_eq!(forwarded.pass(b"row", 0, true), Ok(3));
        assert_eq!(forwarded.pass(b" 2", 0, true), Err(Different));
    }

    #[test]
    fn what_belongs_to_no_answer_is_not_kept() {
        let mut forwarded = Forwarded::default();
        assert_eq!(forwarded.pass(b"notice", 0, false), Ok(0));
        assert!(forwarded.is_empty());
    }

    #[test]
    fn of_a_long_answer_nothing_is_kept() {
        let mut forwarded = Forwarded::default();
        for _ in 0..3 {
            assert_eq!(forwarded.pass(&[0; FORWARDED_BYTES_MAX], 0, true), Ok(0));
        }
        assert!(forwarded.is_beyond() && !forwarded.is_empty() && forwarded.bytes.capacity() == 0);
        assert_eq!(forwarded.pass(b"end", 3, false), Ok(0));
        assert!(forwarded.is_empty());
    }
}
