//! What a session has to know while it runs: that its database is left, or that it was replaced.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::resident::Signal;
use crate::answers::Ending;

/// A session's ear. What it hears first stays.
pub struct Signals {
    database: watch::Receiver<Signal>,
    replaced: CancellationToken,
}

impl Signals {
    pub(super) fn new(database: watch::Receiver<Signal>, replaced: CancellationToken) -> Self {
        Self { database, replaced }
    }

    /// How it stands.
    pub fn now(&mut self) -> Signal {
        if self.replaced.is_cancelled() {
            return Signal::Cut(Ending::Replaced);
        }
        self.database.borrow_and_update().clone()
    }

    /// Waits until it may stand otherwise than [`Signals::now`] said last; a database that is gone has cut everybody.
    pub async fn changed(&mut self) {
        tokio::select! {
            biased;
            () = self.replaced.cancelled() => {}
            // An error means that the database is gone.
            _ = self.database.changed() => {}
        }
    }

    /// Has the next wait return at once.
    pub fn mark_changed(&mut self) {
        self.database.mark_changed();
    }

    /// Waits until the session is to end at once.
    pub async fn cut(&mut self) {
        tokio::select! {
            biased;
            () = self.replaced.cancelled() => {}
            _ = self.database.wait_for(|signal| matches!(signal, Signal::Cut(_))) => {}
        }
    }

    /// Waits until the session is replaced.
    pub async fn replaced(&self) {
        self.replaced.cancelled().await;
    }
}
