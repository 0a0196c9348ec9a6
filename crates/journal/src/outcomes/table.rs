//! The bounded table of outcomes that an owner keeps and that snapshots carry.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Buf, BufMut, Bytes};
use model::SessionId;

use super::{BadOutcome, Outcome, Response};
use crate::{
    Position,
    limits::{OUTCOME_BYTES, OUTCOME_SESSIONS, OUTCOMES_PER_SESSION},
};

/// What a table says of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was committed, with this answer.
    Committed(Response),
    /// It was not, and cannot be any more once this owner has fenced the log: it may be executed.
    Absent,
    /// Its outcome may have been evicted: nobody can tell.
    Unknown,
}

/// See the module [`crate::outcomes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutcomeTable {
    sessions: BTreeMap<SessionId, Session>,
    /// The same sessions by the position of their newest outcome: who is evicted next.
    quiet: BTreeSet<(Position, SessionId)>,
    /// No evicted outcome stands after this position.
    evicted_through: Position,
    bytes: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Session {
    /// Outcomes of requests up to this number were evicted.
    evicted_number: u64,
    newest: Position,
    kept: VecDeque<Kept>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    number: u64,
    position: Position,
    response: Response,
}

impl Kept {
    /// What it counts as, in bytes.
    fn size(&self) -> usize {
        40 + match &self.response {
            Response::Kept(bytes) => bytes.len(),
            Response::TooLong(_) => 0,
        }
    }
}

impl OutcomeTable {
    /// Takes in the outcomes of the record at `position`, and evicts what is over the limits.
    pub fn apply(&mut self, position: Position, outcomes: &[Outcome]) {
        for outcome in outcomes {
            self.insert(position, outcome);
        }
        while self.sessions.len() > OUTCOME_SESSIONS || self.bytes > OUTCOME_BYTES {
            self.evict_quietest();
        }
    }

    /// What became of request `number` of `session`.
    ///
    /// `begun` is a position that the session knows to have been durable before it sent the request; with it, a
    /// session whose outcomes were never evicted since is told *absent* even if the table knows nothing of it.
    pub fn settle(&self, session: SessionId, number: u64, begun: Option<Position>) -> Settled {
        let known = self.sessions.get(&session);
        if let Some(kept) = known.and_then(|s| s.kept.iter().find(|k| k.number == number)) {
            return Settled::Committed(kept.response.clone());
        }
        let nothing_evicted_since = self.evicted_through <= begun.unwrap_or(Position::START);
        if nothing_evicted_since || known.is_some_and(|s| number > s.evicted_number) {
            Settled::Absent
        } else {
            Settled::Unknown
        }
    }

    /// Sessions with kept outcomes.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    fn insert(&mut self, position: Position, outcome: &Outcome) {
        let session = self.sessions.entry(outcome.session).or_insert_with(|| Session {
            // What was evicted of this session before, if anything, had a smaller number.
            evicted_number: if self.evicted_through > Position::START {
                outcome.number.saturating_sub(1)
            } else {
                0
            },
            ..Session::default()
        });
        self.quiet.remove(&(session.newest, outcome.session));
        session.newest = position;
        self.quiet.insert((position, outcome.session));
        let kept = Kept { number: outcome.number, position, response: outcome.response.clone() };
        self.bytes += kept.size();
        session.kept.push_back(kept);
        if session.kept.len() > OUTCOMES_PER_SESSION {
            let gone = session.kept.pop_front().expect("BUG: it has many");
            self.bytes -= gone.size();
            session.evicted_number = session.evicted_number.max(gone.number);
            self.evicted_through = self.evicted_through.max(gone.position);
        }
    }

    fn evict_quietest(&mut self) {
        let (newest, id) = self.quiet.pop_first().expect("BUG: an empty table is within its limits");
        let session = self.sessions.remove(&id).expect("BUG: both hold the same sessions");
        self.bytes -= session.kept.iter().map(Kept::size).sum::<usize>();
        self.evicted_through = self.evicted_through.max(newest);
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64_le(self.evicted_through.get());
        out.put_u32_le(self.sessions.len() as u32);
        for (id, session) in &self.sessions {
            out.put_u128_le(id.0);
            out.put_u64_le(session.evicted_number);
            out.put_u32_le(session.kept.len() as u32);
            for kept in &session.kept {
                out.put_u64_le(kept.number);
                out.put_u64_le(kept.position.get());
                kept.response.encode(out);
            }
        }
    }

    pub(crate) fn decode(from: &mut Bytes) -> Result<Self, BadOutcome> {
        let position = |from: &mut Bytes| Position::new(from.try_get_u64_le()?).ok_or(BadOutcome);
        let mut table = Self { evicted_through: position(from)?, ..Self::default() };
        for _ in 0..from.try_get_u32_le()? {
            let id = SessionId(from.try_get_u128_le()?);
            let mut session = Session { evicted_number: from.try_get_u64_le()?, ..Session::default() };
            for _ in 0..from.try_get_u32_le()? {
                let (number, position) = (from.try_get_u64_le()?, position(from)?);
                let kept = Kept { number, position, response: Response::decode(from)? };
                table.bytes += kept.size();
                session.newest = session.newest.max(position);
                session.kept.push_back(kept);
            }
            table.quiet.insert((session.newest, id));
            table.sessions.insert(id, session);
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests;
