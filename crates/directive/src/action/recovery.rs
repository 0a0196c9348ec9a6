//! What helps a client and a server through a failure.

use serde::Serialize;

/// Do not connect to what the scope names, as long as the directive lives (R70).
///
/// Open sessions go on. Whoever waits comes back at a moment of their own within `spread_ms` after the end (S6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// The window after the end over which clients spread, at most 60,000 ms. Default 1,000.
    pub spread_ms: u64,
}

/// End the hold of the same scope, again spread over a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resume {
    /// The window over which clients spread, at most 60,000 ms. Default 1,000.
    pub spread_ms: u64,
}

/// Send requests that fail for a passing reason again (R72), on sessions that the scope covers.
///
/// A permission, not a proof: only what is known to have had no effect may be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retry {
    /// How often, 0 to 10. Zero forbids it.
    pub attempts: u64,
    /// Pause before each, at most 60,000 ms; the receiver jitters it.
    pub delay_ms: u64,
}

/// Continue at another address, at the next point where no session state is lost (R75, R13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// Where to go.
    pub to: SwitchTo,
    /// What to do with a session that cannot be moved yet.
    pub pinned: Pinned,
}

/// Where to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchTo {
    /// To where the application's own configuration points.
    Handler,
    /// To this `host:port`, if the client's owner allows it.
    Address(String),
}

/// What to do with a session in an open transaction, or with temporary tables, cursors or locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinned {
    /// Wait for it to become movable, for as long as the directive lives.
    Wait,
    /// Leave it where it is, and say so in the acknowledgement.
    Stay,
}

/// How to react to errors (R73). Replaces the earlier policy of the scope; no rules means the driver's own table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorPolicy {
    /// At most 32. A whole SQLSTATE goes before its class.
    pub rules: Vec<ErrorRule>,
}

/// The reaction to one SQLSTATE or class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorRule {
    /// What it is for.
    pub on: On,
    /// What to do.
    pub react: React,
    /// How often, 0 to 10.
    pub attempts: u64,
    /// Pause before the first further try, at most 60,000 ms; doubled for each one after it, and jittered.
    pub delay_ms: u64,
}

/// A SQLSTATE of five characters, or its class of two, in `0-9 A-Z`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct On(pub(crate) String);

impl On {
    /// `None` when it is neither.
    pub fn new(code: &str) -> Option<On> {
        let right = |letter: u8| letter.is_ascii_digit() || letter.is_ascii_uppercase();
        (matches!(code.len(), 2 | 5) && code.bytes().all(right)).then(|| On(code.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum React {
    /// Tell the application.
    Fail,
    /// Send the request again on the same session.
    Retry,
    /// Open another session, then send it again.
    Reconnect,
}

impl React {
    /// As on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            React::Fail => "fail",
            React::Retry => "retry",
            React::Reconnect => "reconnect",
        }
    }
}

/// Keep to a rate of operations on what the scope covers (R81).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rate {
    /// Operations a second, 1 to 1,000,000; `None` lifts the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u64>,
    /// How many may come at once after a pause, 1 to 1,000,000. Default 1, which spaces them evenly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// What to do with the others.
    pub excess: Excess,
    /// Which operations count.
    pub of: Operations,
}

/// What becomes of an operation above the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Excess {
    /// It waits for its turn, or fails at once when its deadline comes first.
    Wait,
    /// It fails at once.
    Fail,
}

/// A class of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operations {
    /// Every operation.
    All,
    /// Those that only read.
    Read,
    /// Those that may write.
    Write,
}

impl Operations {
    /// As on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Operations::All => "all",
            Operations::Read => "read",
            Operations::Write => "write",
        }
    }
}

/// What to do about an error for which an expression is true (R90).
///
/// Off unless the client's owner allows it and trusts the key. The expression only says yes or no:
/// what follows is out of the closed set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its slot.
    pub name: String,
    /// At most 1,024 bytes; the language stands in the crate's README.
    pub expression: String,
    /// What to do.
    pub react: React,
    /// How often, 0 to 10.
    pub attempts: u64,
    /// Pause before the first further try, at most 60,000 ms; doubled for each one after it, and jittered.
    pub delay_ms: u64,
    /// The last second since 1970 at which it may be obeyed, by the client's calendar.
    pub not_after: u64,
    /// The name of the key that signed it, as the client's owner calls it.
    pub key: String,
    /// Ed25519, 64 bytes in base64 with padding.
    pub signature: String,
}
