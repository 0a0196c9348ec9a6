//! A request took longer than its database allows: what the handler that ended it tells the leader, and what the leader
//! makes of it (R20, R21).

use model::{DatabaseId, Epoch, RequestId};
use serde::{Deserialize, Serialize};

use crate::controller::Route;

/// A handler ended a request that took longer than its database's limit, or told the server to and got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrun {
    /// For the logs.
    pub request: RequestId,
    /// Whose request.
    pub database: DatabaseId,
    /// The epoch that it ran under.
    pub epoch: Epoch,
    /// The limit, in milliseconds.
    pub limit_ms: u64,
    /// How long it took until it was to be ended, in milliseconds.
    pub elapsed_ms: u64,
    /// How often it has been provided again already.
    pub repeats: u32,
    /// Whether the server has confirmed that it does not run any more and has left nothing.
    pub confirmed: bool,
    /// Whether it could be provided again: nothing of its answer has reached the client, and nothing depends on it.
    pub repeatable: bool,
    /// Other requests for this database that this handler has seen answered quickly while it ran.
    pub quick: u64,
}

/// Who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blame {
    /// The server was slow.
    Server,
    /// The request itself takes so long.
    Query,
}

/// What the leader made of an [`Overrun`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Who is to blame.
    pub blame: Blame,
    /// By what evidence, and what was done about it, in words.
    pub evidence: String,
    /// Where to provide it again, when the database has an alternative now.
    pub route: Option<Route>,
}
