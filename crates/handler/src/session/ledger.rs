//! What the server still owes the client: the count of requests in flight, and which Parse and Close are unanswered.
//!
//! A request is a Query, a FunctionCall or a Sync; each ends in one ReadyForQuery. COPY bends the rule: while it
//! takes data, a server ignores Sync.

use std::collections::VecDeque;

use wire::backend::TransactionStatus;

use crate::limits::OWED_MAX;

/// Room for unanswered messages that an idle session keeps.
const IDLE_CAPACITY_MAX: usize = 16;

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Query or FunctionCall: complete in itself.
    Single,
    /// Sync: ends a series of extended queries.
    Sync,
}

/// One unanswered message.
#[derive(Debug, PartialEq, Eq)]
enum Owed {
    /// Parse: answered by ParseComplete, or by an error.
    Parse(Prepared),
    /// Close: answered by CloseComplete. The statement's name; `None` for a portal.
    Close(Option<Box<str>>),
    /// So many requests of one kind in a row, each answered by ReadyForQuery.
    Requests(Request, u32),
}

/// A Parse message to be remembered once it has succeeded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prepared {
    /// Empty for the unnamed statement.
    pub(super) name: Box<str>,
    /// The whole frame.
    pub(super) frame: Box<[u8]>,
    /// Whether the statement ends a transaction.
    pub(super) commits: bool,
}

/// What an answer of the server means for the statements that it holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Nothing.
    Nothing,
    /// This statement is prepared.
    Prepared(Prepared),
    /// This statement is forgotten.
    Closed(Box<str>),
}

/// The account of one session.
#[derive(Debug)]
pub(super) struct Ledger {
    owed: VecDeque<Owed>,
    requests: u64,
    status: TransactionStatus,
    /// Messages were sent that no Sync has ended yet.
    series_open: bool,
    /// The server takes COPY data.
    copying_in: bool,
    /// Bytes of the answer to the request in front have gone to the client.
    answering: bool,
    /// The queue grew too long: only requests are counted from then on.
    lost_count: bool,
    /// How many of the Parse messages owed are for statements that end a transaction.
    committing: usize,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            owed: VecDeque::new(),
            requests: 0,
            status: TransactionStatus::Idle,
            series_open: false,
            copying_in: false,
            answering: false,
            lost_count: false,
            committing: 0,
        }
    }
}

impl Ledger {
    /// Requests that have no ReadyForQuery yet.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// What the last ReadyForQuery said.
    pub(super) fn status(&self) -> TransactionStatus {
        self.status
    }

    /// Whether the client is in the middle of a series of extended queries.
    pub(super) fn series_open(&self) -> bool {
        self.series_open
    }

    /// Whether the server takes COPY data.
    pub(super) fn copying_in(&self) -> bool {
        self.copying_in
    }

    /// Whether the server has begun to answer the request in front.
    pub(super) fn answering(&self) -> bool {
        self.answering
    }

    /// Whether messages were sent that are in no request yet.
    pub(super) fn is_open(&self) -> bool {
        self.series_open || (self.copying_in && !self.front_is_single())
    }

    /// Whether one of the statements that are being prepared ends a transaction.
    pub(super) fn prepares_commit(&self) -> bool {
        self.committing > 0
    }

    /// Whether a pipeline was too long to follow.
    pub(super) fn lost_count(&self) -> bool {
        self.lost_count
    }

    /// Whether nothing is under way: every request answered, no series begun.
    pub(super) fn is_quiet(&self) -> bool {
        self.requests == 0 && !self.series_open && !self.copying_in
    }

    /// The client sent a message of a series: Bind, Describe, Execute or Flush.
    pub(super) fn sent_extended(&mut self) {
        self.series_open |= !self.copying_in;
    }

    /// The client sent a request; false when the server is going to ignore it.
    pub(super) fn sent_request(&mut self, request: Request) -> bool {
        if self.copying_in && request != Request::Single {
            return false;
        }
        self.series_open = false;
        self.requests += 1;
        match self.owed.back_mut() {
            Some(Owed::Requests(kind, count)) if *kind == request => *count += 1,
            Some(_) | None => self.owe(Owed::Requests(request, 1)),
        }
        true
    }

    /// The client sent Parse.
    pub(super) fn sent_parse(&mut self, prepared: Prepared) {
        self.series_open = true;
        self.committing += usize::from(prepared.commits);
        self.owe(Owed::Parse(prepared));
    }

    /// The client sent Close, for a statement or for a portal.
    pub(super) fn sent_close(&mut self, statement: Option<&str>) {
        self.series_open = true;
        self.owe(Owed::Close(statement.map(Into::into)));
    }

    /// The client sent CopyDone or CopyFail.
    pub(super) fn sent_copy_end(&mut self) {
        if std::mem::take(&mut self.copying_in) {
            // A COPY in a series still waits for the Sync after its data.
            self.series_open = !self.front_is_single();
        }
    }

    fn owe(&mut self, owed: Owed) {
        if self.owed.len() >= OWED_MAX {
            self.lost_count = true;
            self.owed.clear();
            // What they are is not known any more: any of them may.
            self.committing = usize::MAX / 2;
        }
        if !self.lost_count {
            self.owed.push_back(owed);
        }
    }

    /// The server has begun to answer the request in front.
    pub(super) fn answered_some(&mut self) {
        self.answering = true;
    }

    /// The server sent ParseComplete.
    pub(super) fn parse_complete(&mut self) -> Settled {
        match self.pop_if(|owed| matches!(owed, Owed::Parse(_))) {
            Some(Owed::Parse(prepared)) => Settled::Prepared(prepared),
            Some(_) | None => Settled::Nothing,
        }
    }

    /// The server sent CloseComplete.
    pub(super) fn close_complete(&mut self) -> Settled {
        match self.pop_if(|owed| matches!(owed, Owed::Close(_))) {
            Some(Owed::Close(Some(statement))) => Settled::Closed(statement),
            Some(_) | None => Settled::Nothing,
        }
    }

    /// The server sent CopyInResponse. A Sync already sent is one that it will not answer: gives how many those are.
    pub(super) fn copy_in(&mut self) -> u64 {
        self.copying_in = true;
        self.series_open = false;
        while self.pop_if(|owed| !matches!(owed, Owed::Requests(..))).is_some() {}
        let Some(Owed::Requests(Request::Sync, count)) = self.owed.front_mut() else { return 0 };
        let ignored = u64::from(*count);
        self.requests -= ignored;
        self.owed.pop_front();
        ignored
    }

    /// The server sent ErrorResponse: whatever was sent before the next Sync will not be done.
    pub(super) fn failed(&mut self) {
        if std::mem::take(&mut self.copying_in) && !self.front_is_single() {
            self.series_open = true;
        }
    }

    /// The server sent ReadyForQuery.
    pub(super) fn ready(&mut self, status: TransactionStatus) {
        self.status = status;
        self.answering = false;
        self.copying_in = false;
        self.requests = self.requests.saturating_sub(1);
        // What was not answered by now was skipped because of an error.
        while self.pop_if(|owed| !matches!(owed, Owed::Requests(..))).is_some() {}
        if let Some(Owed::Requests(_, count)) = self.owed.front_mut() {
            *count -= 1;
            if *count == 0 {
                self.owed.pop_front();
            }
        }
        if self.owed.is_empty() && self.owed.capacity() > IDLE_CAPACITY_MAX {
            self.owed = VecDeque::new();
        }
    }

    fn pop_if(&mut self, is_it: impl FnOnce(&Owed) -> bool) -> Option<Owed> {
        let popped = if self.owed.front().is_some_and(is_it) { self.owed.pop_front() } else { None };
        if matches!(&popped, Some(Owed::Parse(prepared)) if prepared.commits) {
            self.committing = self.committing.saturating_sub(1);
        }
        popped
    }

    fn front_is_single(&self) -> bool {
        let request = self.owed.iter().find_map(|owed| match owed {
            Owed::Requests(request, _) => Some(*request),
            Owed::Parse(_) | Owed::Close(_) => None,
        });
        request == Some(Request::Single)
    }

    /// Nothing is under way any more, and no transaction is open.
    pub(super) fn reset(&mut self) {
        let committing = if self.lost_count { self.committing } else { 0 };
        *self = Self { lost_count: self.lost_count, committing, ..Self::default() };
    }
}

#[cfg(test)]
mod tests;
