//! What can go wrong between processes, and what to do about it.

use model::{DatabaseId, Name, Rejection};
use serde::{Deserialize, Serialize};

/// A call did not give an answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody could be reached at the address.
    #[error("cannot connect to {address}")]
    Connect {
        /// Where.
        address: String,
        /// What the network said.
        #[source]
        source: std::io::Error,
    },
    /// The connection broke before the handshake was over.
    #[error("the connection broke during the handshake")]
    Io(#[from] std::io::Error),
    /// The other end is not who it should be.
    #[error("the other end was refused: {reason}")]
    Handshake {
        /// Why.
        reason: String,
    },
    /// The request may or may not have arrived: effect unknown.
    #[error("the call to {address} broke off")]
    Call {
        /// Where.
        address: String,
        /// What the transport said.
        #[source]
        source: tarpc::client::RpcError,
    },
    /// No answer in time: effect unknown.
    #[error("{address} did not answer within {timeout_ms} ms")]
    Timeout {
        /// Where.
        address: String,
        /// How long it was given.
        timeout_ms: u64,
    },
    /// An answer came: no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Every controller was tried, again and again.
    #[error("no controller of {addresses} could do it within {timeout_ms} ms; one of them said: {last}")]
    NoController {
        /// All that were tried.
        addresses: String,
        /// How long they were tried.
        timeout_ms: u64,
        /// The failure that tells most.
        last: Box<Error>,
    },
}

/// A controller says no. A value that travels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// Only the leader can do this.
    #[error("this controller does not lead")]
    NotLeader {
        /// Who does, `host:port`, if known.
        leader: Option<String>,
    },
    /// Nothing was changed, and nothing can be for now: no quorum, or starting, or shutting down.
    #[error("the controllers cannot decide anything now: {reason}")]
    Unavailable {
        /// What is missing.
        reason: String,
    },
    /// Leadership was lost while the change was on its way: it may yet happen.
    #[error("whether the change happened is unknown: {reason}")]
    Lost {
        /// What happened.
        reason: String,
    },
    /// The map said no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// No database of that name.
    #[error("database \"{name}\" does not exist")]
    DatabaseNameUnknown {
        /// The name asked for.
        name: String,
    },
    /// No server of that name.
    #[error("server \"{name}\" does not exist")]
    ServerNameUnknown {
        /// The name asked for.
        name: String,
    },
    /// Nobody is there to own it.
    #[error("no server is up: {reason}")]
    NoServer {
        /// What is missing.
        reason: String,
    },
    /// The owner could not load it. It may have got another owner on the way.
    #[error("server \"{server}\" could not load {database}: {reason}")]
    LoadFailed {
        /// Which database.
        database: DatabaseId,
        /// Which server.
        server: Name,
        /// What it said.
        reason: String,
    },
    /// The copy cannot be made; there is none.
    #[error("the copy could not be made: {reason}")]
    ForkFailed {
        /// Why.
        reason: String,
    },
    /// This controller is behind what the caller has seen already.
    #[error("this controller is at revision {revision}, the caller has seen {at_least}")]
    Behind {
        /// What this controller has applied.
        revision: u64,
        /// What was asked for.
        at_least: u64,
    },
    /// The set of controllers is not changed like that.
    #[error("the set of controllers stays as it is: {reason}")]
    ControllersKept {
        /// Why, and what to do.
        reason: String,
    },
    /// What was to be sent is no directive.
    #[error("this is no directive to send: {reason}")]
    DirectiveInvalid {
        /// Which rule it breaks.
        reason: String,
    },
    /// That is not for everybody.
    #[error("this is not allowed: {reason}")]
    NotAllowed {
        /// Why, and what to do.
        reason: String,
    },
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The same thing may work in a moment.
    Retry,
    /// Ask the leader.
    AskLeader,
    /// It will not work.
    GiveUp,
}

/// What a failed call may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing. It may be repeated blindly.
    None,
    /// Nobody knows. It may be repeated only where repeating is harmless.
    Unknown,
}

impl Refusal {
    /// What to do about it.
    pub fn advice(&self) -> Advice {
        match self {
            Self::NotLeader { .. } => Advice::AskLeader,
            Self::Unavailable { .. } | Self::Lost { .. } | Self::Behind { .. } => Advice::Retry,
            Self::Rejected(_)
            | Self::DatabaseNameUnknown { .. }
            | Self::ServerNameUnknown { .. }
            | Self::NoServer { .. }
            | Self::LoadFailed { .. }
            | Self::ForkFailed { .. }
            | Self::ControllersKept { .. }
            | Self::DirectiveInvalid { .. }
            | Self::NotAllowed { .. } => Advice::GiveUp,
        }
    }

    /// What it may have changed.
    pub fn effect(&self) -> Effect {
        match self {
            // Before a server could not load it, others may have been its owners.
            Self::Lost { .. } | Self::LoadFailed { .. } => Effect::Unknown,
            Self::NotLeader { .. }
            | Self::Unavailable { .. }
            | Self::Rejected(_)
            | Self::DatabaseNameUnknown { .. }
            | Self::ServerNameUnknown { .. }
            | Self::NoServer { .. }
            | Self::ForkFailed { .. }
            | Self::ControllersKept { .. }
            | Self::DirectiveInvalid { .. }
            | Self::NotAllowed { .. }
            | Self::Behind { .. } => Effect::None,
        }
    }
}

impl Error {
    /// What to do about it.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Connect { .. } | Self::Io(_) | Self::Call { .. } | Self::Timeout { .. } => Advice::Retry,
            Self::Handshake { .. } | Self::NoController { .. } => Advice::GiveUp,
            Self::Refused(refusal) => refusal.advice(),
        }
    }

    /// What the failed call may have changed.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Connect { .. } | Self::Io(_) | Self::Handshake { .. } => Effect::None,
            Self::Call { .. } | Self::Timeout { .. } => Effect::Unknown,
            Self::Refused(refusal) => refusal.effect(),
            Self::NoController { last, .. } => last.effect(),
        }
    }
}
