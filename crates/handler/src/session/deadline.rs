//! How long the request in front has been under way, against the limit of its database (R20), and what is being done
//! about one that takes longer.
//!
//! The time counts from when the request has been sent, or from the answer to the one before it, and not while the
//! client is what is waited for: while it is slow to take its answer or to send COPY data.
//! Without a limit nothing is measured. With one, a request costs a look at the clock and no allocation.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use wire::backend::TransactionStatus;

use super::loss::Scene;
use crate::{
    fleet::Pace,
    limits::{QUICK_SHARE, TERMINATE_PATIENCE},
};

/// The time limit of one session.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    pace: Option<Arc<Pace>>,
    request: Option<Measured>,
    ending: Option<Ending>,
    /// How often the request after so many answers has been provided again.
    repeats: (u64, u32),
}

/// The request in front, after so many answers.
#[derive(Clone, Copy, Debug)]
struct Measured {
    answers: u64,
    since: Instant,
    quick: u64,
}

/// The server was told to end the request.
#[derive(Clone, Copy, Debug)]
struct Ending {
    answers: u64,
    until: Instant,
    late: Late,
}

/// A request that takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late {
    pub(super) limit: Duration,
    pub(super) elapsed: Duration,
    /// Other requests for the database that this handler has seen answered quickly meanwhile.
    pub(super) quick: u64,
    /// How often it has been provided again already.
    pub(super) repeats: u32,
}

/// What a look at the clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// There is nothing to measure.
    Rest,
    /// Look again then.
    Until(Instant),
    /// The request that was to be ended has been answered: the session goes on.
    Resumed,
    /// The request takes too long, or its end has not been confirmed in time.
    Over(Late),
}

impl Deadline {
    /// The session is on a database with this pace.
    pub(super) fn follow(&mut self, pace: Arc<Pace>) {
        self.pace = Some(pace);
        self.request = None;
        self.ending = None;
    }

    /// Whether the server was told to end the request in front: nothing more is sent to it.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Whether there is anything to look at the clock for.
    pub(super) fn is_on(&self) -> bool {
        self.is_ending() || self.pace.as_ref().is_some_and(|pace| pace.limit().is_some())
    }

    /// Looks at the clock. `answers` counts the answered requests; `waiting` says that an answer is waited for.
    pub(super) fn look(&mut self, answers: u64, waiting: bool, now: Instant) -> Look {
        if let Some(ending) = self.ending {
            if ending.answers != answers {
                self.ending = None;
                return Look::Resumed;
            }
            return if now < ending.until { Look::Until(ending.until) } else { Look::Over(ending.late) };
        }
        let Some((pace, limit)) = self.pace.as_ref().and_then(|pace| Some((pace, pace.limit()?))) else {
            self.request = None;
            return Look::Rest;
        };
        if !self.request.is_some_and(|request| waiting && request.answers == answers) {
            if let Some(before) = self.request
                && answers > before.answers
                && now.saturating_duration_since(before.since) <= limit / QUICK_SHARE
            {
                pace.answered_quickly(answers - before.answers);
            }
            self.request = waiting.then(|| Measured { answers, since: now, quick: pace.quick() });
        }
        let Some(Measured { since, quick, .. }) = self.request else { return Look::Rest };
        let elapsed = now.saturating_duration_since(since);
        if elapsed < limit {
            return Look::Until(since + limit);
        }
        let repeats = self.repeats(answers);
        Look::Over(Late { limit, elapsed, quick: pace.quick().saturating_sub(quick), repeats })
    }

    /// The server was told to end the request.
    pub(super) fn end(&mut self, answers: u64, late: Late, now: Instant) {
        self.ending = Some(Ending { answers, until: now + TERMINATE_PATIENCE, late });
        self.request = None;
    }

    /// The ending is over; what was known of the request, if there was one.
    pub(super) fn ended(&mut self) -> Option<Late> {
        self.ending.take().map(|ending| ending.late)
    }

    /// The request after so many answers is provided again.
    pub(super) fn repeat(&mut self, answers: u64) {
        self.repeats = (answers, self.repeats(answers) + 1);
    }

    fn repeats(&self, answers: u64) -> u32 {
        if self.repeats.0 == answers { self.repeats.1 } else { 0 }
    }
}

/// Whether a request that was ended may be provided again: it is alone, outside of any transaction, nothing of it can
/// have been kept, and the client has `seen` nothing of its answer that another server may say otherwise.
pub(super) fn may_repeat(scene: &Scene, seen: bool, after: TransactionStatus) -> bool {
    let idle = scene.status == TransactionStatus::Idle && after == TransactionStatus::Idle;
    let alone = scene.requests == 1 && !scene.mid_request && !scene.mid_answer;
    idle && alone && !seen && !scene.may_commit && scene.replayable && scene.pin.is_none()
}

#[cfg(test)]
mod tests;
