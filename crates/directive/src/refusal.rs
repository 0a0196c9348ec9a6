//! Why a directive is not obeyed.

use std::fmt;

/// A refusal: the reason by its code, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}{}{about}", if about.is_empty() { "" } else { ": " })]
pub struct Refusal {
    /// The code, the same in every driver.
    pub why: Why,
    /// The field or the rule that was broken, for people. Never a copy of what was sent.
    pub about: String,
}

impl Refusal {
    pub(crate) fn new(why: Why, about: impl Into<String>) -> Refusal {
        Refusal { why, about: about.into() }
    }
}

/// The codes of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// More bytes than a directive may have.
    TooLarge,
    /// Objects and lists stand deeper in each other than they may.
    TooDeep,
    /// Not JSON, or a field is missing or of the wrong type.
    Malformed,
    /// A version that the receiver does not speak.
    Version,
    /// An action outside the set, or one that this driver does not have.
    Unsupported,
    /// A number, text or list outside its limits.
    Range,
    /// It contains what must not be sent: a secret, or a connection parameter outside the list.
    Forbidden,
    /// For another session, or for none.
    Session,
    /// The client's owner does not allow this.
    NotAllowed,
    /// Older than what was already said.
    Stale,
    /// The client has been held up for as long as its owner allows.
    Limit,
    /// The client's state has no room.
    Full,
    /// Too many directives in a short time.
    TooMany,
    /// A routine, destination, data source or version that the client does not know.
    Unknown,
    /// The signature is missing, wrong, over, or by a key that the owner does not trust.
    Signature,
    /// The expression of a rule does not compile or is too complex.
    Rule,
}

impl Why {
    /// All of them.
    pub const ALL: [Why; 16] = [
        Why::TooLarge,
        Why::TooDeep,
        Why::Malformed,
        Why::Version,
        Why::Unsupported,
        Why::Range,
        Why::Forbidden,
        Why::Session,
        Why::NotAllowed,
        Why::Stale,
        Why::Limit,
        Why::Full,
        Why::TooMany,
        Why::Unknown,
        Why::Signature,
        Why::Rule,
    ];

    /// The code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Why::TooLarge => "too_large",
            Why::TooDeep => "too_deep",
            Why::Malformed => "malformed",
            Why::Version => "version",
            Why::Unsupported => "unsupported",
            Why::Range => "range",
            Why::Forbidden => "forbidden",
            Why::Session => "session",
            Why::NotAllowed => "not_allowed",
            Why::Stale => "stale",
            Why::Limit => "limit",
            Why::Full => "full",
            Why::TooMany => "too_many",
            Why::Unknown => "unknown",
            Why::Signature => "signature",
            Why::Rule => "rule",
        }
    }

    /// The reason of that code.
    pub fn from_code(code: &str) -> Option<Why> {
        Why::ALL.into_iter().find(|why| why.code() == code)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.code())
    }
}
