//! What a role is given by whoever starts it: the outside world, so that tests can bring another one.

use std::sync::Arc;

use model::TimestampMs;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Dial, Secret};

/// The world around a role. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    /// Opens connections.
    pub dial: Arc<dyn Dial>,
    /// The fleet's secret.
    pub secret: Secret,
    /// The wall clock, for information only: nothing is decided by it.
    pub clock: fn() -> TimestampMs,
    /// Ends the role: it stops taking work, finishes what runs within bounds, and its `run` returns.
    pub shutdown: CancellationToken,
    /// Where the role says whether it can do its work.
    pub ready: watch::Sender<Readiness>,
}

/// Whether a role can do its work now: what `/readyz` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It cannot, for this reason.
    NotReady(String),
}
