//! What controllers and handlers tell each other about directives (R92-R97).
//!
//! Handlers learn from the watch that directives changed, and read all that stand. Every second they report how many
//! sessions each has reached and what became of it, counted since the handler's start: a report that is lost, or comes
//! twice, changes nothing. With the answer they get the leader's questions, which they answer with the next report.

use model::{HandlerId, Name, Targets, TimestampMs};
use serde::{Deserialize, Serialize};

/// A directive that stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectiveInfo {
    /// Its id.
    pub id: Name,
    /// Its wire form.
    pub text: String,
    /// Whom it is for.
    pub targets: Targets,
    /// Who sent it.
    pub by: Name,
    /// The leader's clock when it was sent.
    pub since: TimestampMs,
    /// How long it stands, in milliseconds.
    pub lifetime_ms: u64,
    /// How much of that is left by the clock of the controller that answers.
    pub left_ms: u64,
}

/// What became of one directive at the clients of one handler, counted in sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Sessions that it was given to.
    pub reached: u64,
    /// Acknowledged as being in force.
    pub applied: u64,
    /// Acknowledged as refused.
    pub refused: u64,
    /// Acknowledged as carried out.
    pub done: u64,
    /// Acknowledged as failed.
    pub failed: u64,
    /// Acknowledged as over.
    pub expired: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            reached: self.reached + other.reached,
            applied: self.applied + other.applied,
            refused: self.refused + other.refused,
            done: self.done + other.done,
            failed: self.failed + other.failed,
            expired: self.expired + other.expired,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { reached, applied, refused, done, failed, expired } = self;
        write!(
            f,
            "reached {reached}, applied {applied}, done {done}, refused {refused}, failed {failed}, expired {expired}"
        )
    }
}

/// What a handler tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectivesReport {
    /// Which handler.
    pub handler: HandlerId,
    /// A random number of this life of it.
    pub life: u64,
    /// Its sessions that have announced that they understand directives.
    pub announced: u64,
    /// Since its start, for the directives that stand.
    pub tallies: Vec<(Name, Tally)>,
    /// Answers: the question's number, and the sessions counted.
    pub answers: Vec<(u64, u64)>,
}

/// What a handler is asked: how many of its sessions would a directive reach?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its number.
    pub number: u64,
    /// The directive's id, by which it draws its share.
    pub directive: Name,
    /// Whom it would be for.
    pub targets: Targets,
}

/// How many sessions a directive would reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetsCount {
    /// Sessions.
    pub sessions: u64,
    /// Sessions that understand directives at all.
    pub announced: u64,
    /// Handlers that have answered.
    pub handlers: u64,
    /// Handlers that have reported lately and did not answer.
    pub silent: u64,
}

/// What became of a directive at all clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectiveTally {
    /// Which.
    pub id: Name,
    /// At all handlers together.
    pub tally: Tally,
    /// Handlers that have told of it.
    pub handlers: u64,
}
