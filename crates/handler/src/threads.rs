//! Threads with a runtime each, so that a session stays on the core that it began on.

use std::{sync::Arc, thread};

use rpc::Listen;
use tokio::{runtime, sync::oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, error};

use crate::door::Door;

/// The threads that take connections and serve them.
pub(crate) struct Threads {
    end: CancellationToken,
    ended: Vec<oneshot::Receiver<()>>,
}

impl Threads {
    /// Starts so many threads; fewer, when the system gives no more.
    pub(crate) fn start<L: Listen>(count: usize, door: &Arc<Door<L>>) -> Self {
        let mut threads = Self { end: CancellationToken::new(), ended: Vec::new() };
        for number in 0..count {
            match threads.start_one(number, door.clone()) {
                Ok(ended) => threads.ended.push(ended),
                Err(error) => error!(%error, number, "cannot start a thread for connections"),
            }
        }
        threads
    }

    fn start_one<L: Listen>(
        &self,
        number: usize,
        door: Arc<Door<L>>,
    ) -> std::io::Result<oneshot::Receiver<()>> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (ending, ended) = oneshot::channel();
        let end = self.end.clone();
        let span = Span::current();
        thread::Builder::new().name(format!("sessions-{number}")).spawn(move || {
            runtime.block_on(async {
                door.take_connections().instrument(span).await;
                end.cancelled().await;
            });
            runtime.shutdown_background();
            drop(ending);
        })?;
        Ok(ended)
    }

    /// Whether the caller has to serve connections itself.
    pub(crate) fn is_empty(&self) -> bool {
        self.ended.is_empty()
    }

    /// Ends the threads, with whatever connections they still have.
    pub(crate) async fn end(self) {
        self.end.cancel();
        for ended in self.ended {
            // Nothing is ever sent: the thread's end drops the other side.
            let _dropped = ended.await;
        }
    }
}
