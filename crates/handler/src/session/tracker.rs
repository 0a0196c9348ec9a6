//! All that is followed of one session on its server: the account, the memory, what is unanswered.

use bytes::BytesMut;
use wire::{
    Frame,
    backend::{Message, TransactionStatus},
};

use super::{
    ledger::{Ledger, Settled},
    loss::Scene,
    memory::Memory,
    replay::Replay,
};
use crate::{
    limits::REPLAYS_MAX,
    sql::{Effects, Pin},
};

/// The state that both directions read and write.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    pub(super) ledger: Ledger,
    pub(super) memory: Memory,
    pub(super) replay: Replay,
    /// What is under way may end a transaction and keep its work.
    may_commit: bool,
    /// The request in front has failed, or has rolled back.
    undone: bool,
    /// Requests answered so far.
    answers: u64,
    /// How many had been answered at the last replay, and how many replays there were since.
    replays: (u64, u32),
    /// A message from the client is cut in the middle.
    pub(super) mid_request: bool,
    /// A message to the client is cut in the middle.
    pub(super) mid_answer: bool,
}

impl Tracker {
    /// The client sent a statement that does this.
    pub(super) fn effects(&mut self, effects: Effects) {
        self.may_commit |= effects.commits;
        self.memory.sent(effects);
    }

    /// What is under way runs a statement that ends a transaction.
    pub(super) fn commits(&mut self) {
        self.may_commit = true;
    }

    /// The server says that a message was done.
    pub(super) fn settled(&mut self, settled: Settled) {
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
        self.ledger.copy_in();
        self.replay.give_up();
    }

    /// The server sent ReadyForQuery.
    pub(super) fn ready(&mut self, status: TransactionStatus) {
        self.ledger.ready(status);
        self.replay.answered();
        self.answers += 1;
        if self.memory.is_staging() {
            self.memory.complete(status, self.undone);
        }
        self.undone = false;
        if self.ledger.is_quiet() {
            self.may_commit = false;
            if !self.mid_request {
                self.replay.clear();
            }
        }
        if self.ledger.lost_count() {
            self.memory.pin_by(Pin::Pipeline);
        }
    }

    /// Counts a replay; false when one server after the other has sent the same requests back.
    pub(super) fn may_replay(&mut self) -> bool {
        let (answers, replays) = self.replays;
        self.replays = (self.answers, if answers == self.answers { replays + 1 } else { 1 });
        self.replays.1 <= REPLAYS_MAX
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

    /// How things stand, for deciding what a lost server means.
    pub(super) fn scene(&self) -> Scene {
        Scene {
            requests: self.ledger.requests(),
            quiet: self.ledger.is_quiet(),
            status: self.ledger.status(),
            answering: self.ledger.answering() || self.ledger.copying_in(),
            may_commit: self.may_commit,
            replayable: self.replay.is_complete(),
            pin: self.memory.pin(),
            mid_answer: self.mid_answer,
            mid_request: self.mid_request,
        }
    }

    /// Takes back what is unanswered. Nothing is under way any more, and no transaction is open.
    pub(super) fn unsend(&mut self) -> BytesMut {
        let unanswered = self.replay.take();
        self.ledger.reset();
        self.memory.complete(TransactionStatus::Idle, true);
        self.may_commit = false;
        self.undone = false;
        self.mid_request = false;
        self.mid_answer = false;
        unanswered
    }
}
