//! What is seen of a session's frames while they pass: how many requests were handed over and answered, and whether a
//! transaction is open. It is what makes *never sent* a fact rather than a guess.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// How the last transaction that ended in a session did so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By COMMIT.
    Kept,
    /// By ROLLBACK, also as the answer to COMMIT.
    Undone,
}

/// Counters of one session. Writers are its socket, readers anybody.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    sent: AtomicU64,
    answered: AtomicU64,
    status: AtomicU8,
    undone: AtomicU8,
    /// The answer to the oldest request without one has begun.
    answering: AtomicBool,
}

impl Watch {
    /// Whether a request is with the server: handed over completely, and not answered completely.
    pub(crate) fn is_under_way(&self) -> bool {
        self.sent.load(Ordering::SeqCst) > self.answered.load(Ordering::SeqCst)
    }

    /// Whether a transaction is open.
    pub(crate) fn in_transaction(&self) -> bool {
        matches!(self.status.load(Ordering::SeqCst), b'T' | b'E')
    }

    /// How the last transaction ended.
    pub(crate) fn ended(&self) -> Ended {
        if self.undone.load(Ordering::SeqCst) == 1 { Ended::Undone } else { Ended::Kept }
    }

    /// Whether the server has not begun to answer.
    pub(crate) fn is_silent(&self) -> bool {
        !self.answering.load(Ordering::SeqCst)
    }

    /// A frame went out completely.
    pub(super) fn on_sent(&self, tag: u8) {
        // Query, Sync and FunctionCall: what is answered by ReadyForQuery.
        if matches!(tag, b'Q' | b'S' | b'F') {
            self.sent.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A frame came in, with the first bytes of its body.
    pub(super) fn on_received(&self, tag: u8, body: &[u8]) {
        // Notices, notifications and parameters are no answer, and that a statement was bound says nothing of its end.
        if !matches!(tag, b'N' | b'A' | b'S' | b'1' | b'2' | b'3') {
            self.answering.store(tag != b'Z', Ordering::SeqCst);
        }
        match tag {
            b'Z' => {
                self.status.store(body.first().copied().unwrap_or_default(), Ordering::SeqCst);
                self.answered.fetch_add(1, Ordering::SeqCst);
            }
            // A Sync that was sent together with COPY is ignored by the server.
            b'G' => {
                self.answered.fetch_add(1, Ordering::SeqCst);
            }
            b'C' if body.starts_with(b"COMMIT") => self.undone.store(0, Ordering::SeqCst),
            b'C' if body.starts_with(b"ROLLBACK\0") => self.undone.store(1, Ordering::SeqCst),
            _ => {}
        }
    }

    /// The session begins: the ReadyForQuery of the start-up answered no request.
    pub(super) fn on_start_up(&self) {
        self.sent.fetch_add(1, Ordering::SeqCst);
    }
}
