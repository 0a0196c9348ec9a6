//! The bytes of requests that are not answered yet, kept so that they can be sent to another server where that is
//! proven to be harmless.

use std::collections::VecDeque;

use bytes::BytesMut;

use crate::limits::REPLAY_BYTES_MAX;

/// Capacity that an idle session may keep, in bytes: what a short query needs.
const IDLE_BYTES_MAX: usize = 512;

/// Everything sent since the last answered request.
#[derive(Debug, Default)]
pub(super) struct Replay {
    bytes: Vec<u8>,
    /// Bytes at the beginning that are answered.
    done: usize,
    /// Where the requests in `bytes` end, counted from the end of the one before.
    ends: VecDeque<usize>,
    /// Bytes after the last end.
    open: usize,
    /// Something was not kept: nothing can be sent again until all is answered.
    incomplete: bool,
}

impl Replay {
    /// Bytes went to the server.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.open += bytes.len();
        if self.incomplete || self.bytes.len() + bytes.len() > REPLAY_BYTES_MAX + self.done {
            self.give_up();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// With the bytes sent so far a request is complete.
    pub(super) fn request_ends(&mut self) {
        self.ends.push_back(std::mem::take(&mut self.open));
    }

    /// The oldest request is answered.
    pub(super) fn answered(&mut self) {
        if let Some(len) = self.ends.pop_front()
            && !self.incomplete
        {
            self.done += len;
        }
        if self.ends.is_empty() && self.open == 0 {
            self.clear();
        } else if self.done > REPLAY_BYTES_MAX {
            // A pipeline that never runs dry.
            self.bytes.drain(..self.done);
            self.done = 0;
        }
    }

    /// What is under way cannot be sent again.
    pub(super) fn give_up(&mut self) {
        self.incomplete = true;
        self.bytes = Vec::new();
        self.done = 0;
    }

    /// Whether everything unanswered is here.
    pub(super) fn is_complete(&self) -> bool {
        !self.incomplete
    }

    /// Takes everything unanswered; nothing counts as sent any more.
    pub(super) fn take(&mut self) -> BytesMut {
        let bytes = BytesMut::from(&self.bytes[self.done..]);
        *self = Self::default();
        bytes
    }

    /// Forgets everything: nothing is under way.
    pub(super) fn clear(&mut self) {
        self.incomplete = false;
        self.open = 0;
        self.ends.clear();
        if self.ends.capacity() > IDLE_BYTES_MAX / size_of::<usize>() {
            self.ends = VecDeque::new();
        }
        self.done = 0;
        self.bytes.clear();
        if self.bytes.capacity() > IDLE_BYTES_MAX {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_unanswered_is_sent_again() {
        let mut replay = Replay::default();
        for request in [&b"one"[..], b"second"] {
            replay.sent(request);
            replay.request_ends();
        }
        replay.sent(b"open");
        replay.answered();
        assert_eq!(&replay.take()[..], b"secondopen");
        assert!(replay.take().is_empty());
    }

    #[test]
    fn what_was_too_long_spoils_only_what_is_under_way() {
        let mut replay = Replay::default();
        replay.sent(&[0; REPLAY_BYTES_MAX]);
        replay.request_ends();
        replay.sent(b"x");
        replay.request_ends();
        assert!(!replay.is_complete());
        replay.answered();
        assert!(!replay.is_complete());
        replay.answered();
        assert!(replay.is_complete());
        replay.sent(b"next");
        assert_eq!(&replay.take()[..], b"next");
    }

    #[test]
    fn an_idle_session_holds_next_to_nothing() {
        let mut replay = Replay::default();
        for len in [100, 10_000, 50_000, 200] {
            replay.sent(&vec![0; len]);
            replay.request_ends();
            replay.answered();
            assert!(replay.bytes.capacity() <= IDLE_BYTES_MAX, "{len}");
        }
    }
}
