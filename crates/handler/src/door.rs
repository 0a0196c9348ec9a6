//! Where connections come in: taken one by one, given a seat among those that have not authenticated, served.

use std::sync::Arc;

use futures::FutureExt;
use rpc::{ByteStream, Listen};
use tokio::{
    sync::{Mutex, Semaphore},
    time::sleep,
};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::{connection, failure, handler::Handler, limits::ACCEPT_PAUSE, link::Link, metrics};

/// The listener and what hangs on it. Several threads may take connections from it, in turn.
pub(crate) struct Door<L> {
    handler: Arc<Handler>,
    listener: Mutex<L>,
    /// Seats of those who have not authenticated.
    seats: Arc<Semaphore>,
    /// All connections.
    pub(crate) connections: TaskTracker,
}

impl<L: Listen> Door<L> {
    pub(crate) fn new(handler: Arc<Handler>, listener: L) -> Arc<Self> {
        let seats = handler.settings.unauthenticated_max.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            handler,
            listener: Mutex::new(listener),
            seats: Arc::new(Semaphore::new(seats)),
            connections: TaskTracker::new(),
        })
    }

    /// Takes connections until the handler is told to stop. They are served on the runtime of the caller.
    pub(crate) async fn take_connections(self: Arc<Self>) {
        loop {
            let accepted = tokio::select! {
                accepted = async { self.listener.lock().await.accept().await } => accepted,
                () = self.handler.host.shutdown.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) => {
                    warn!(%error, "cannot take a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, stream: Box<dyn ByteStream>, peer: String) {
        let Ok(seat) = self.seats.clone().try_acquire_owned() else { return self.refuse(stream, &peer) };
        self.connections.spawn(connection::serve(self.handler.clone(), stream, peer, seat));
    }

    /// At once or not at all: nothing is held for whoever finds no seat.
    fn refuse(&self, stream: Box<dyn ByteStream>, peer: &str) {
        let max = self.handler.settings.unauthenticated_max;
        let failure = failure::too_many("connections that have not authenticated", max);
        metrics::refused(failure.code);
        let mut link = Link::new(stream);
        failure.fatal(&mut link.outbox);
        let told = link.flush().now_or_never().is_some();
        debug!(peer, told, "connection refused");
    }
}
