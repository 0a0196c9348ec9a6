//! What clients are told when the server itself says no: SQLSTATEs and texts, all in one place.
//!
//! None of these texts claims that something was done, and none names another client's data.

use bytes::BytesMut;
use conditions::Kind;
use model::Epoch;
use rpc::session::{NOT_OWNER, not_owner_detail};
use wire::{
    SqlState,
    backend::{Fields, Severity, error_response},
    sqlstate,
};

use crate::engine::EngineError;

/// Why a session or a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The database is not, or no longer, served here under that epoch. Nothing unanswered was done.
    NotOwner {
        /// The epoch that this server knows, if any.
        epoch: Option<Epoch>,
    },
    /// A commit may or may not have become durable.
    Unknown,
    /// The journal cannot take so much at a time.
    TooLarge,
    /// The wire was broken.
    Protocol(wire::Error),
    /// The engine ends it.
    Engine {
        /// SQLSTATE.
        sqlstate: &'static str,
        /// Text.
        reason: String,
    },
    /// A limit of this server.
    TooManySessions {
        /// The limit.
        max: usize,
    },
    /// It keeps itself going, and takes no new sessions meanwhile.
    Protecting {
        /// The condition that it is in.
        condition: Kind,
    },
    /// The start-up lacks what handlers send.
    NoHandler {
        /// What is missing or malformed.
        what: &'static str,
    },
    /// The client's session goes on over a newer connection. What it was doing here may have been done.
    Replaced,
    /// Authentication took too long.
    TooSlow,
}

impl Ending {
    /// Writes the last ErrorResponse.
    pub fn write(&self, out: &mut BytesMut) {
        let text = self.text();
        let detail = match self {
            Self::NotOwner { epoch: Some(epoch) } => Some(not_owner_detail(*epoch)),
            Self::NotOwner { epoch: None }
            | Self::Unknown
            | Self::TooLarge
            | Self::Protocol(_)
            | Self::Engine { .. }
            | Self::TooManySessions { .. }
            | Self::Protecting { .. }
            | Self::NoHandler { .. }
            | Self::Replaced
            | Self::TooSlow => None,
        };
        let hint = matches!(self, Self::Protecting { .. })
            .then_some("Try again in a moment; sessions that were begun go on.");
        let fields =
            Fields { detail: detail.as_deref(), hint, ..Fields::new(Severity::Fatal, self.code(), &text) };
        error_response(out, &fields);
    }

    /// Its name as a metric's label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotOwner { .. } => "not_owner",
            Self::Unknown => "outcome_unknown",
            Self::TooLarge => "too_large",
            Self::Protocol(wire::Error::AuthenticationFailed) => "authentication",
            Self::Protocol(_) => "protocol",
            Self::Engine { .. } => "engine",
            Self::TooManySessions { .. } => "too_many_sessions",
            Self::Protecting { .. } => "protecting",
            Self::NoHandler { .. } => "no_handler",
            Self::Replaced => "replaced",
            Self::TooSlow => "too_slow",
        }
    }

    fn code(&self) -> SqlState {
        match self {
            Self::NotOwner { .. } => SqlState::new(NOT_OWNER).expect("BUG: five letters and digits"),
            Self::Unknown | Self::Replaced => sqlstate::STATEMENT_COMPLETION_UNKNOWN,
            Self::TooLarge => sqlstate::PROGRAM_LIMIT_EXCEEDED,
            Self::Protocol(error) => error.sqlstate(),
            Self::Engine { sqlstate, .. } => SqlState::new(sqlstate).unwrap_or(sqlstate::INTERNAL_ERROR),
            Self::TooManySessions { .. } | Self::Protecting { .. } => sqlstate::TOO_MANY_CONNECTIONS,
            Self::NoHandler { .. } | Self::TooSlow => sqlstate::PROTOCOL_VIOLATION,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::NotOwner { .. } => "this server does not serve the database".into(),
            Self::Unknown => {
                "whether the statement's changes were kept is unknown: the journal did not answer".into()
            }
            Self::TooLarge => {
                "the transaction changes more than the journal can take at a time; nothing was kept".into()
            }
            Self::Protocol(wire::Error::AuthenticationFailed) => "password authentication failed".into(),
            Self::Protocol(error) => error.to_string(),
            Self::Engine { reason, .. } => reason.clone(),
            Self::TooManySessions { max } => format!("this server has its {max} sessions already"),
            Self::Protecting { condition } => {
                format!("this server takes no new sessions while it is in the condition {condition}")
            }
            Self::NoHandler { what } => format!("{what}; connect through a handler"),
            Self::Replaced => "the session goes on over another connection".into(),
            Self::TooSlow => "authentication took too long".into(),
        }
    }
}

impl From<wire::Error> for Ending {
    fn from(error: wire::Error) -> Self {
        Self::Protocol(error)
    }
}

impl From<EngineError> for Ending {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Protocol { sqlstate, reason } | EngineError::Refused { sqlstate, reason } => {
                Self::Engine { sqlstate, reason }
            }
            EngineError::Open { .. } | EngineError::Storage { .. } | EngineError::File { .. } => {
                tracing::error!(%error, "the engine failed under a session");
                Self::Engine { sqlstate: "58030", reason: "the server's working copy failed".into() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_is_a_fatal_error_with_its_sqlstate() {
        let endings = [
            (Ending::NotOwner { epoch: Some(Epoch(7)) }, "SM001"),
            (Ending::Unknown, "40003"),
            (Ending::TooLarge, "54000"),
            (Ending::Protocol(wire::Error::AuthenticationFailed), "28P01"),
            (Ending::Engine { sqlstate: "53300", reason: "full".into() }, "53300"),
            (Ending::TooManySessions { max: 3 }, "53300"),
            (Ending::Protecting { condition: "overload".parse().expect("a name") }, "53300"),
            (Ending::NoHandler { what: "no epoch" }, "08P01"),
            (Ending::Replaced, "40003"),
            (Ending::TooSlow, "08P01"),
        ];
        for (ending, code) in endings {
            let mut out = BytesMut::new();
            ending.write(&mut out);
            let text = String::from_utf8_lossy(&out).into_owned();
            assert!(text.contains("SFATAL\0") && text.contains(&format!("C{code}\0")), "{text:?}");
        }
    }

    #[test]
    fn not_owner_tells_the_epoch_in_its_detail() {
        let mut out = BytesMut::new();
        Ending::NotOwner { epoch: Some(Epoch(42)) }.write(&mut out);
        assert!(String::from_utf8_lossy(&out).contains("D42\0"));
    }
}
