//! A session's connection to the server that owns its database.

mod attach;
mod connect;
mod restore;

use std::sync::Arc;

use bytes::Bytes;
use rpc::controller::Route;

pub(crate) use attach::{Attaching, attach};
pub(crate) use connect::LoginKeys;
pub(crate) use restore::{Lost, restore};

use crate::{cancel::Target, failure::Failure, link::Link};

/// A logged-in connection that has said ReadyForQuery.
pub(crate) struct Backend {
    pub(crate) link: Link,
    pub(crate) route: Arc<Route>,
    pub(crate) target: Target,
    /// ParameterStatus and notices of the greeting, as they came.
    pub(crate) greeting: Bytes,
}

/// Why a session cannot have a server.
#[derive(Debug)]
pub(crate) enum Denied {
    /// For a reason of ours.
    Failure(Failure),
    /// The server said so: its ErrorResponse, as it came.
    Told(Bytes),
}
