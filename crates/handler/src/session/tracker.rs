//! All that is followed of one session on its server: the account, the memory, what is unanswered.

use bytes::BytesMut;
use wire::{
    Frame,
    backend::{Message, TransactionStatus},
};

use super::{
    forwarded::Forwarded,
    ledger::{Ledger, Settled},
    loss::Scene,
    memory::Memory,
    replay::Replay,
    settling::Unanswered,
};
use crate::{
    limits::{REPLAYS_MAX, RESENDS_MAX},
    sql::{Effects, Pin},
};

/// The state that both directions read and write.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    pub(super) ledger: Ledger,
    pub(super) memory: Memory,
    pub(super) replay: Replay,
    pub(super) forwarded: Forwarded,
    /// The number of the oldest request without an answer, counted as `rpc::session` says.
    pub(super) number: u64,
    /// A position of the journal that was durable before anything unanswered was sent.
    pub(super) begun: Option<u64>,
    /// Statements prepared and closed by the request in front: so once it is complete.
    staged: Vec<Settled>,
    /// The request in front has failed, or has rolled back.
    undone: bool,
    /// Requests answered so far.
    answers: u64,
    /// How many had been answered at the last replay, and how many replays there were since.
    replays: (u64, u32),
    /// The same for requests that are done again after their server was lost.
    resends: (u64, u32),
    /// A message from the client is cut in the middle.
    pub(super) mid_request: bool,
    /// A message of the server is cut in the middle.
    pub(super) mid_answer: bool,
}

impl Tracker {
    /// The client sent a statement that does this.
    pub(super) fn effects(&mut self, effects: Effects) {
        if effects.commits {
            self.commits();
        }
        self.memory.sent(effects);
    }

    /// What is under way runs a statement that ends a transaction.
    pub(super) fn commits(&mut self) {
        self.replay.commits();
    }

    /// Whether running this prepared statement may end a transaction.
    pub(super) fn may_commit_by(&self, name: &str) -> bool {
        let staged = || {
            self.staged
                .iter()
                .any(|settled| matches!(settled, Settled::Prepared(prepared) if prepared.commits))
        };
        self.memory.commits(name) || self.ledger.prepares_commit() || staged()
    }

    /// The server says that a message was done.
    pub(super) fn settled(&mut self, settled: Settled) {
        if settled != Settled::Nothing {
            self.staged.push(settled);
        }
    }

    fn keep(&mut self, settled: Settled) {
        match settled {
            Settled::Nothing => {}
            Settled::Prepared(prepared) if prepared.frame.is_empty() => {
                self.memory.closed(&prepared.name);
                if !prepared.name.is_empty() {
                    self.memory.pin_by(Pin::Statements);
                }
            }
            Settled::Prepared(prepared) => self.memory.prepared(prepared),
            Settled::Closed(name) => self.memory.closed(&name),
        }
    }

    /// The server sent ErrorResponse.
    pub(super) fn failed(&mut self) {
        self.ledger.failed();
        self.undone = true;
    }

    /// A statement was done; its tag is looked at only while settings wait for their fate.
    pub(super) fn command_complete(&mut self, command: &[u8]) {
        self.undone |= command.starts_with(b"ROLLBACK");
    }

    /// The server takes COPY data, which is not kept.
    pub(super) fn copy_in(&mut self) {
        let ignored = self.ledger.copy_in();
        self.replay.ignored(ignored);
        self.replay.give_up();
    }

    /// The server sent ReadyForQuery.
    pub(super) fn ready(&mut self, status: TransactionStatus) {
        self.ledger.ready(status);
        self.replay.answered();
        self.answers += 1;
        self.number += 1;
        for settled in std::mem::take(&mut self.staged) {
            self.keep(settled);
        }
        if self.memory.is_staging() {
            self.memory.complete(status, self.undone);
        }
        self.undone = false;
        if self.ledger.is_quiet() && !self.mid_request {
            self.replay.clear();
        }
        if self.ledger.lost_count() {
            self.memory.pin_by(Pin::Pipeline);
        }
    }

    /// Requests answered so far.
    pub(super) fn answers(&self) -> u64 {
        self.answers
    }

    /// Counts a replay; false when one server after the other has sent the same requests back.
    pub(super) fn may_replay(&mut self) -> bool {
        let (answers, replays) = self.replays;
        self.replays = (self.answers, if answers == self.answers { replays + 1 } else { 1 });
        self.replays.1 <= REPLAYS_MAX
    }

    /// As [`Tracker::may_replay`], for requests that are done again because the server that was lost had not done them.
    pub(super) fn may_resend(&mut self) -> bool {
        let (answers, resends) = self.resends;
        self.resends = (self.answers, if answers == self.answers { resends + 1 } else { 1 });
        self.resends.1 <= RESENDS_MAX
    }

    /// The server says how far its journal is durable.
    pub(super) fn told_position(&mut self, position: u64) {
        // What is under way may have been sent before that.
        if self.ledger.is_quiet() && !self.mid_request {
            self.begun = Some(position);
        }
    }

    /// Whether the client is in the middle of a message.
    pub(super) fn client_is_mid(&self) -> bool {
        self.forwarded.mid().unwrap_or(self.mid_answer)
    }

    /// The client gets this greeting, or these reports.
    pub(super) fn greeted(&mut self, reports: &[u8]) {
        let mut rest = reports;
        while let Ok(Some((frame, after))) = Frame::split(rest, reports.len()) {
            if let Ok(Message::ParameterStatus { name, value }) = Message::decode(frame) {
                self.memory.reported(name, value);
            }
            rest = after;
        }
    }

    /// Whether nobody loses anything if the session ends here.
    pub(super) fn is_at_rest(&self) -> bool {
        let idle = self.ledger.status() == TransactionStatus::Idle;
        self.ledger.is_quiet() && idle && !self.mid_request && !self.mid_answer
    }

    /// What has no answer, once the server is gone.
    pub(super) fn unanswered(&self) -> Unanswered {
        let requests = usize::try_from(self.ledger.requests()).unwrap_or(usize::MAX);
        let mut commits: Vec<bool> = self.replay.committing().collect();
        if commits.len() != requests {
            // Two counts that differ: whatever depends on it is settled rather than supposed.
            commits = vec![true; requests];
        }
        Unanswered {
            status: self.ledger.status(),
            commits,
            open: self.ledger.is_open().then(|| self.replay.open_commits()),
            at_hand: self.replay.is_complete(),
        }
    }

    /// How things stand, for deciding what a lost server means.
    pub(super) fn scene(&self) -> Scene {
        Scene {
            requests: self.ledger.requests(),
            quiet: self.ledger.is_quiet(),
            status: self.ledger.status(),
            beyond: self.forwarded.is_beyond(),
            may_commit: (self.ledger.is_open() && self.replay.open_commits())
                || self.replay.committing().any(|commits| commits),
            replayable: self.replay.is_complete(),
            pin: self.memory.pin(),
            mid_answer: self.client_is_mid(),
            mid_request: self.mid_request,
        }
    }

    /// Takes back what is unanswered. Nothing is under way any more, and no transaction is open.
    pub(super) fn unsend(&mut self) -> BytesMut {
        let unanswered = self.replay.take();
        self.ledger.reset();
        self.memory.complete(TransactionStatus::Idle, true);
        self.staged = Vec::new();
        self.undone = false;
        self.mid_request = false;
        self.mid_answer = false;
        unanswered
    }
}
