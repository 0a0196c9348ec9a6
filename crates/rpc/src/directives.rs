//! What controllers and handlers tell each other about directives (R92-R97).
//!
//! Handlers learn from the watch that directives changed, and read all that stand. Every second they report how many
//! sessions each has reached and what became of it, counted since the handler's start: a report that is lost, or comes
//! twice, changes nothing. With the answer they get the leader's questions, which they answer with the next report.

use model::{HandlerId, Name, RequestId, SenderRole, Targets, TimestampMs};
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

/// What an administrator wants of directives (R92, R93).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// To send a directive, or one that stands to others (R95). One that carries code or an update waits for a second
    /// person. Repeating it is harmless.
    Send {
        /// Its id, chosen by the sender. A text in which the id is another is refused.
        id: String,
        /// Its wire form. Its order is the controllers' to give: what stands there is replaced.
        text: String,
        /// Whom it is for.
        targets: Targets,
    },
    /// To give a user a right, or to take it away. Waits for a second person.
    PutSender {
        /// By which it is approved of, chosen by whoever asks.
        id: String,
        /// Whose.
        user: String,
        /// The right; `None` takes it away.
        role: Option<SenderRole>,
    },
    /// To be the second person for what waits.
    Approve {
        /// Which.
        id: String,
    },
    /// To revoke a directive, or what waits; without an id, all directives. Clients that got them are told.
    Revoke {
        /// Which.
        id: Option<String>,
    },
}

/// Who wants it, and the proof. No process is believed who its user is: the leader looks at the proof, so a process to
/// which the user did not log in can send nothing in the user's name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// The user.
    pub user: String,
    /// The process where the user is, for the audit.
    pub at: String,
    /// What SCRAM's client proves, of [`signed`] instead of an exchange: `ClientKey XOR HMAC(StoredKey, signed)`.
    pub proof: [u8; 32],
}

/// The proof is for nobody's log.
impl std::fmt::Debug for Proven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proven").field("user", &self.user).field("at", &self.at).finish_non_exhaustive()
    }
}

/// What the user signs: this request, this wish, as said at this process, and nothing else. No message of SCRAM begins
/// like it.
pub fn signed(request: RequestId, user: &str, at: &str, wish: &Wish) -> Vec<u8> {
    let said = (request, user, at, wish);
    let said = bincode::serialize(&said).expect("BUG: writing to memory cannot fail");
    [b"stationmaster administers directives\0", &said[..]].concat()
}

/// Who may send directives, and what waits for a second person, by the map of the controller that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendersInfo {
    /// Users and their rights, by name.
    pub senders: Vec<(Name, SenderRole)>,
    /// What waits, by id.
    pub pending: Vec<PendingInfo>,
}

/// Something that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingInfo {
    /// By which it is approved of.
    pub id: Name,
    /// Who asked for it: `ann@handler-1`.
    pub by: String,
    /// What it is, in words.
    pub what: String,
    /// How much longer it waits by the clock of the controller that answers.
    pub left_ms: u64,
}
