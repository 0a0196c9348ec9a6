//! Who may tell clients what to do, and what waits for a second person (R92).
//!
//! The map holds who has which right, so that every process asks the same list, and decides by it when an entry is
//! applied: no process that proposes one can decide otherwise. That somebody is who he says is proven before that, to
//! the leader (see `rpc::directives`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Directive, Name, TimestampMs};

/// What a user may do with directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SenderRole {
    /// Sends and revokes directives, and asks for those that take two.
    Sender,
    /// Approves of what others ask for, too.
    Approver,
}

impl SenderRole {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sender, Self::Approver];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Approver => "approver",
        }
    }

    /// By its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for SenderRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A user, and the process where he was when he said something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user.
    pub user: Name,
    /// The process, for the audit.
    pub at: Name,
}

/// `ann@handler-1`
impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.at)
    }
}

/// What a person wants of directives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// To send a directive, or one that stands to others. Repeating it is harmless.
    Send {
        /// Its id.
        id: Name,
        /// What it says, and whom it is for. Who sends it is filled in when it stands.
        directive: Box<Directive>,
        /// Whether it takes a second person.
        second: bool,
    },
    /// To give a user a right, or to take it away; takes a second person.
    PutSender {
        /// By which it is approved of.
        id: Name,
        /// Whose.
        user: Name,
        /// The right; `None` takes it away.
        role: Option<SenderRole>,
    },
    /// To be the second person for what waits under this id.
    Approve {
        /// Which.
        id: Name,
    },
    /// To take back a directive, or what waits.
    Revoke {
        /// Which.
        id: Name,
    },
}

/// What takes two persons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proposal {
    /// A directive that carries code or an update.
    Directive(Box<Directive>),
    /// Another right for a user; `None` for none.
    Sender {
        /// Whose.
        user: Name,
        /// Which.
        role: Option<SenderRole>,
    },
    /// Nothing any more: it was taken back, and its id is given to nothing else for a while, so that nobody approves of
    /// something that came in its place.
    Withdrawn,
}

/// Something that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What.
    pub proposal: Proposal,
    /// The first person.
    pub by: Person,
    /// The leader's clock when it was asked for.
    pub since: TimestampMs,
}

impl Pending {
    /// How long it goes on waiting, by a clock that says `now`.
    pub fn left_ms(&self, now: TimestampMs) -> u64 {
        match self.proposal {
            Proposal::Withdrawn => 0,
            Proposal::Directive(_) | Proposal::Sender { .. } => {
                crate::PENDING_MS.saturating_sub(self.age_ms(now))
            }
        }
    }

    /// Whether its id is still given to nothing else: as long again as it may wait.
    pub(crate) fn holds_its_id(&self, now: TimestampMs) -> bool {
        self.age_ms(now) < 2 * crate::PENDING_MS
    }

    fn age_ms(&self, now: TimestampMs) -> u64 {
        now.0.saturating_sub(self.since.0)
    }
}

/// In one line, for people.
impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directive(directive) => write!(f, "to {}: {}", directive.targets, directive.text),
            Self::Sender { user, role: Some(role) } => write!(f, "{user} becomes {role}"),
            Self::Sender { user, role: None } => write!(f, "{user} sends no more"),
            Self::Withdrawn => f.write_str("taken back"),
        }
    }
}
