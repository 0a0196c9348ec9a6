//! What a client is told about the requests that had no answer when their server was lost, once the next owner has said
//! what became of each (S2, R18).
//!
//! Answers come in the order of the requests. What was done is never done again; what was not done is done now, unless
//! a request after it was done already: requests are not done out of order.

use bytes::Bytes;
use rpc::session::Settled;
use wire::{
    Frame,
    backend::{Message, TransactionStatus},
    frame::HEADER_LEN,
};

use crate::{
    failure::{self, Failure, NotDone},
    limits::INSPECT_BYTES_MAX,
};

/// What had no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unanswered {
    /// What the last ReadyForQuery said.
    pub(super) status: TransactionStatus,
    /// Complete requests, oldest first: whether each may end a transaction and keep its work.
    pub(super) commits: Vec<bool>,
    /// The same for messages after them that are in no request yet, if there are any.
    pub(super) open: Option<bool>,
    /// The bytes of all this are at hand.
    pub(super) at_hand: bool,
}

/// What to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) rest: Rest,
}

/// What the client gets for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// This answer.
    Answer(Bytes),
    /// This error, then ReadyForQuery with this status.
    Fail(Failure, TransactionStatus),
}

/// What becomes of everything after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is sent to the new server.
    Again,
    /// It belongs to a transaction that has failed, which the client has yet to be told with this, if anything.
    Transaction(Option<Failure>),
    /// The open series fails with this; then things stand like this.
    Series(Failure, TransactionStatus),
}

impl Unanswered {
    /// How many numbers there are to be asked about: the open series counts as one.
    pub(super) fn numbers(&self) -> u64 {
        (self.commits.len() + usize::from(self.open.is_some())) as u64
    }

    /// Decides. `settled` says what became of the requests, oldest first; of what it leaves out nobody can tell, and
    /// `unknown` is the error for that. `not_again` is why what was not done is not done now, if so.
    pub(super) fn plan(&self, settled: &[Settled], unknown: &Failure, not_again: Option<NotDone>) -> Plan {
        let fates = self.fates(settled);
        let first_absent = fates.iter().rposition(|fate| *fate != Fate::Absent).map_or(0, |last| last + 1);
        let mut status = self.status;
        let mut steps = Vec::new();
        for (at, fate) in fates.iter().enumerate().take(first_absent.min(self.commits.len())) {
            let step = match fate {
                Fate::Answered(bytes, then) => {
                    status = *then;
                    steps.push(Step::Answer(bytes.clone()));
                    continue;
                }
                Fate::Done => failure::done(),
                Fate::Unknown => unknown.clone(),
                Fate::Absent => self.passed_over(&fates, at, unknown),
            };
            status = failed(status, self.commits[at] && *fate != Fate::Absent);
            steps.push(Step::Fail(step, status));
        }
        if first_absent > self.commits.len() {
            let failure =
                if fates.last() == Some(&Fate::Unknown) { unknown.clone() } else { failure::done() };
            let status =
                if self.open == Some(true) { TransactionStatus::Idle } else { failed(status, false) };
            return Plan { steps, rest: Rest::Series(failure, status) };
        }
        let told = status == TransactionStatus::Failed && !steps.is_empty();
        let lost = (!told).then(failure::transaction_lost);
        match (status, not_again) {
            (TransactionStatus::Idle, None) => Plan { steps, rest: Rest::Again },
            (TransactionStatus::InTransaction | TransactionStatus::Failed, _) if self.at_hand => {
                Plan { steps, rest: Rest::Transaction(lost) }
            }
            (_, why) => self.give_up(first_absent, steps, status, why.unwrap_or(NotDone::NotKept), lost),
        }
    }

    /// What became of each, by what can be done with it.
    fn fates(&self, settled: &[Settled]) -> Vec<Fate> {
        let numbers = self.commits.len() + usize::from(self.open.is_some());
        let mut fates: Vec<Fate> =
            settled.iter().map(Fate::of).chain(std::iter::repeat(Fate::Unknown)).take(numbers).collect();
        if self.open == Some(false) {
            // Before it is complete, nothing of it can have been kept.
            fates[numbers - 1] = Fate::Absent;
        }
        fates
    }

    /// For a request that was not done, before one that was or may have been.
    fn passed_over(&self, fates: &[Fate], at: usize, unknown: &Failure) -> Failure {
        let commits = |later: &usize| self.commits.get(*later).copied().or(self.open).unwrap_or(true);
        let end = (at + 1..fates.len()).filter(commits).find(|later| fates[*later] != Fate::Absent);
        match end.map(|end| &fates[end]) {
            // It may have been in the transaction that this one has ended.
            Some(Fate::Answered(..) | Fate::Done) => failure::done_in_transaction(),
            Some(Fate::Unknown) => unknown.clone(),
            Some(Fate::Absent) | None => failure::not_done(NotDone::PassedOver),
        }
    }

    /// Nothing of the rest was done, and nothing of it will be.
    fn give_up(
        &self,
        first: usize,
        mut steps: Vec<Step>,
        mut status: TransactionStatus,
        why: NotDone,
        mut lost: Option<Failure>,
    ) -> Plan {
        let mut failure = |status| match status {
            TransactionStatus::Idle => failure::not_done(why),
            _ => lost.take().unwrap_or_else(failure::transaction_failed),
        };
        for _ in &self.commits[first..] {
            let failure = failure(status);
            status = failed(status, false);
            steps.push(Step::Fail(failure, status));
        }
        let rest = match self.open {
            Some(_) => {
                let failure = failure(status);
                Rest::Series(failure, failed(status, false))
            }
            None if status == TransactionStatus::Idle => Rest::Again,
            None => Rest::Transaction(lost),
        };
        Plan { steps, rest }
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// It was done, with this answer, and then things stood like this.
    Answered(Bytes, TransactionStatus),
    Done,
    Absent,
    Unknown,
}

impl Fate {
    fn of(settled: &Settled) -> Self {
        match settled {
            Settled::Answered(bytes) => {
                final_status(bytes).map_or(Self::Done, |status| Self::Answered(bytes.clone(), status))
            }
            Settled::Done => Self::Done,
            Settled::Absent => Self::Absent,
            Settled::Unknown => Self::Unknown,
        }
    }
}

/// How things stand after an error in a request that `ends` its transaction or does not.
fn failed(status: TransactionStatus, ends: bool) -> TransactionStatus {
    match status {
        TransactionStatus::Idle => TransactionStatus::Idle,
        TransactionStatus::InTransaction | TransactionStatus::Failed if ends => TransactionStatus::Idle,
        TransactionStatus::InTransaction | TransactionStatus::Failed => TransactionStatus::Failed,
    }
}

/// What the ReadyForQuery at the end of an answer says; `None` when it is not one whole answer.
fn final_status(answer: &[u8]) -> Option<TransactionStatus> {
    let mut rest = answer;
    loop {
        let (frame, after) = Frame::split(rest, INSPECT_BYTES_MAX + HEADER_LEN).ok()??;
        if let Ok(Message::ReadyForQuery(status)) = Message::decode(frame) {
            return after.is_empty().then_some(status);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests;
