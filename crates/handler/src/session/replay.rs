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
    /// The requests in `bytes`.
    ends: VecDeque<Request>,
    /// What comes after the last of them.
    open: Request,
    /// Something was not kept: nothing can be sent again until all is answered.
    incomplete: bool,
}

/// One request: all that was sent from the end of the one before to its own.
#[derive(Clone, Copy, Debug, Default)]
struct Request {
    len: usize,
    /// It may end a transaction and keep its work.
    commits: bool,
}

impl Replay {
    /// Bytes went to the server.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.open.len += bytes.len();
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

    /// What is being sent may end a transaction and keep its work.
    pub(super) fn commits(&mut self) {
        self.open.commits = true;
    }

    /// Which of the unanswered requests may end a transaction and keep its work, oldest first.
    pub(super) fn committing(&self) -> impl Iterator<Item = bool> {
        self.ends.iter().map(|request| request.commits)
    }

    /// As [`Replay::committing`], for what comes after the last request.
    pub(super) fn open_commits(&self) -> bool {
        self.open.commits
    }

    /// The oldest requests turn out to be none: each was a Sync in front of COPY data.
    pub(super) fn ignored(&mut self, requests: u64) {
        for _ in 0..requests {
            let Some(ignored) = self.ends.pop_front() else { return };
            let next = self.ends.front_mut().unwrap_or(&mut self.open);
            next.len += ignored.len;
            next.commits |= ignored.commits;
        }
    }

    /// The oldest request is answered.
    pub(super) fn answered(&mut self) {
        if let Some(request) = self.ends.pop_front()
            && !self.incomplete
        {
            self.done += request.len;
        }
        if self.ends.is_empty() && self.open.len == 0 {
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

    /// How many bytes are kept.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.done
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
        self.open = Request::default();
        self.ends.clear();
        if self.ends.capacity() > IDLE_BYTES_MAX / size_of::<Request>() {
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
    fn each_request_is_known_by_whether_it_commits() {
        let mut replay = Replay::default();
        for commits in [false, true, false] {
            replay.sent(b"request");
            if commits {
                replay.commits();
            }
            replay.request_ends();
        }
        replay.commits();
        assert_eq!(replay.committing().collect::<Vec<_>>(), [false, true, false]);
        assert!(replay.open_commits());
        replay.answered();
        replay.ignored(1);
        assert_eq!(replay.committing().collect::<Vec<_>>(), [true], "a Sync before COPY data ends nothing");
        replay.clear();
        assert!(replay.committing().next().is_none() && !replay.open_commits());
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
