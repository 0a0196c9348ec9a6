//! Why a server's life was declared over.

use std::fmt;

/// The evidence that a server is dead. The first two are proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing listens at its address: the process is gone.
    Refused,
    /// Another incarnation answers at its address, or nobody knows it any more.
    AnotherLife,
    /// It sent no heartbeat for a lease.
    Silent,
    /// An operator said so.
    Operator,
}

impl Cause {
    /// The same, as events tell it.
    pub fn event(self) -> model::Cause {
        match self {
            Self::Refused => model::Cause::ConnectionRefused,
            Self::AnotherLife => model::Cause::AnotherLife,
            Self::Silent => model::Cause::HeartbeatSilent,
            Self::Operator => model::Cause::Operator,
        }
    }

    /// One word, for measures.
    pub fn label(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::AnotherLife => "another_life",
            Self::Silent => "silent",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "its process is gone: the connection was refused",
            Self::AnotherLife => "another incarnation has taken its place",
            Self::Silent => "its lease has lapsed",
            Self::Operator => "an operator said so",
        })
    }
}
