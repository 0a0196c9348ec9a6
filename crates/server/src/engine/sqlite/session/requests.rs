//! A session's requests by number, and where their answers are: what becomes of a commit's outcome.
//!
//! An outcome holds the whole answer of its request, also where its beginning has left before the commit. Of one that is
//! published before its answer is complete, or that is too long to be kept, it says only that it was done.

use std::{mem, num::NonZeroU64};

use bytes::Bytes;
use journal::{
    Outcome, Response,
    limits::{OUTCOMES_PER_SESSION, RESPONSE_MAX},
};
use model::SessionId;

use crate::engine::Identity;

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Requests {
    /// The request under way, or the next one; nothing where no outcomes are kept.
    identity: Option<Identity>,
    /// The answer of the request under way.
    open: Option<Answer>,
    /// Those whose answers stand in the output and are in no outcome.
    answered: Vec<(u64, Answer)>,
    /// How many answers stand in the output.
    here: usize,
    /// The length of the output when the last step returned.
    left: usize,
}

/// An answer, complete or not.
#[derive(Debug, Default)]
struct Answer {
    /// Its beginning, which has left the output; not filled beyond what an outcome keeps.
    gone: Vec<u8>,
    /// Bytes that have left.
    gone_len: usize,
    /// Where the rest stands in the output, up to its end where it has one.
    from: usize,
    to: Option<usize>,
    /// An outcome of the request is published.
    told: bool,
}

impl Requests {
    pub fn new(identity: Option<Identity>) -> Self {
        Self { identity, open: None, answered: Vec::new(), here: 0, left: 0 }
    }

    /// The next request of this session has this number. The one that says so, and those before, belong to nobody.
    pub fn renumber(&mut self, session: SessionId, next: NonZeroU64) -> Result<(), AnotherSession> {
        let identity = self.identity.as_mut().filter(|identity| identity.session == session);
        let identity = identity.ok_or(AnotherSession)?;
        identity.next = next.get() - 1;
        self.open.get_or_insert_default().told = true;
        self.answered.clear();
        Ok(())
    }

    /// A step begins with an output of this length.
    pub fn resume(&mut self, len: usize) {
        if len == self.left {
            return;
        }
        // What was there has left.
        if let Some(open) = &mut self.open {
            open.gone_len += self.left - open.from;
            open.from = len;
        }
        self.answered.clear();
        self.here = 0;
    }

    /// A step returns this output.
    pub fn pause(&mut self, out: &[u8]) {
        self.left = out.len();
        if let (Some(open), Some(_)) = (&mut self.open, self.identity) {
            open.gone.truncate(open.gone_len);
            let room = RESPONSE_MAX - open.gone.len().min(RESPONSE_MAX);
            open.gone.extend(out[open.from..].iter().take(room));
        }
    }

    /// A request begins, with the output at this length.
    pub fn began(&mut self, at: usize) {
        self.open = Some(Answer { from: at, ..Answer::default() });
    }

    /// It was answered: the output has this length.
    pub fn ended(&mut self, len: usize) {
        let answer = Answer { to: Some(len), ..self.open.take().unwrap_or_default() };
        let Some(identity) = &mut self.identity else { return };
        if !answer.told {
            self.answered.push((identity.next, answer));
        }
        identity.next += 1;
        self.here += 1;
    }

    /// Whether so many answers are waiting that with more of them the first outcomes could be evicted before their
    /// answers have left.
    pub fn are_many(&self) -> bool {
        self.here >= OUTCOMES_PER_SESSION
    }

    /// The output is lost, and the session with it.
    pub fn lose(&mut self) {
        self.answered.clear();
        self.open = self.open.take().map(|open| Answer { from: 0, ..open });
    }

    /// What is to be published with the commits of the last request, or of the one that is under way.
    ///
    /// The requests before it are in there too as long as their answers have not left: a client that lost them asks for
    /// all of them, and must not be told to send again what came before something that was done.
    pub fn outcomes(&mut self, out: &[u8]) -> Vec<Outcome> {
        let Some(Identity { session, next }) = self.identity else { return Vec::new() };
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(self.answered.len() + 1);
        for (number, answer) in self.answered.drain(..) {
            outcomes.push(Outcome { session, number, response: answer.response(out) });
        }
        if let Some(open) = &mut self.open
            && !mem::replace(&mut open.told, true)
        {
            outcomes.push(Outcome { session, number: next, response: open.response(out) });
        }
        outcomes
    }
}

impl Answer {
    fn response(&self, out: &[u8]) -> Response {
        let len = self.gone_len + self.to.unwrap_or(out.len()).saturating_sub(self.from);
        match self.to {
            Some(to) if len <= RESPONSE_MAX => {
                let gone = &self.gone[..self.gone_len];
                Response::Kept(Bytes::from([gone, &out[self.from..to]].concat()))
            }
            _long_or_open => Response::TooLong(len as u64),
        }
    }
}

/// The connection's session has another id, or none under which requests could be kept.
#[derive(Debug)]
pub(super) struct AnotherSession;
