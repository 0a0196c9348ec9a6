//! The read index: one confirmation by a majority serves every look-up that came before it began.

use std::sync::{Arc, Mutex, MutexGuard};

use openraft::{
    ReadPolicy,
    errors::{LinearizableReadError, RaftError},
};
use rpc::Refusal;
use tokio::{sync::oneshot, time::timeout};

use super::Node;
use crate::{limits::READ_INDEX_TIMEOUT, raft::TypeConfig};

type Confirmed = Result<(), Refusal>;

/// Look-ups that wait for a confirmation which has not begun.
#[derive(Default)]
pub struct Waiting(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    callers: Vec<oneshot::Sender<Confirmed>>,
    /// Whether somebody confirms now, and will go on with these callers.
    confirming: bool,
}

impl Waiting {
    /// Joins the next confirmation. True when nobody is there to make it.
    fn join(&self, caller: oneshot::Sender<Confirmed>) -> bool {
        let mut queue = self.lock();
        queue.callers.push(caller);
        !std::mem::replace(&mut queue.confirming, true)
    }

    /// Everybody who waits now. When there is nobody, the next one to come has to make the confirmation.
    fn take(&self) -> Vec<oneshot::Sender<Confirmed>> {
        let mut queue = self.lock();
        queue.confirming = !queue.callers.is_empty();
        std::mem::take(&mut queue.callers)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().expect("BUG: nothing panics while holding this lock")
    }
}

impl Node {
    /// Confirms with a quorum that this controller leads, and waits for everything committed by now.
    ///
    /// # Errors
    /// [`Refusal::NotLeader`] or [`Refusal::Unavailable`].
    pub(super) async fn read_index(self: &Arc<Self>) -> Confirmed {
        let (caller, confirmed) = oneshot::channel();
        if self.reads.join(caller) {
            let node = self.clone();
            // A task of its own: callers may go away.
            self.tasks.spawn(async move { node.confirm_reads().await });
        }
        let stopped = |_| Err(Refusal::Unavailable { reason: "this controller is stopping".into() });
        confirmed.await.unwrap_or_else(stopped)
    }

    /// Confirms until nobody waits any more. Whoever comes meanwhile waits for the next confirmation: the present one
    /// may have begun before what the caller must see was committed.
    async fn confirm_reads(&self) {
        loop {
            let callers = self.reads.take();
            if callers.is_empty() {
                return;
            }
            let confirmed = self.confirm().await;
            for caller in callers {
                // A caller that stopped waiting does not need the answer.
                drop(caller.send(confirmed.clone()));
            }
        }
    }

    async fn confirm(&self) -> Confirmed {
        let read = timeout(READ_INDEX_TIMEOUT, self.raft.ensure_linearizable(ReadPolicy::ReadIndex));
        match self.while_leading(read).await? {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.read_failed(error)),
            Err(_) => Err(Refusal::Unavailable { reason: self.quorum() }),
        }
    }

    pub(super) fn read_failed(
        &self,
        error: RaftError<TypeConfig, LinearizableReadError<TypeConfig>>,
    ) -> Refusal {
        match error {
            RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)) => self.forward(&forward),
            RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => {
                Refusal::Unavailable { reason: self.quorum() }
            }
            RaftError::Fatal(fatal) => Refusal::Unavailable { reason: fatal.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> (oneshot::Sender<Confirmed>, oneshot::Receiver<Confirmed>) {
        oneshot::channel()
    }

    #[test]
    fn a_look_up_never_joins_a_confirmation_that_has_begun() {
        let waiting = Waiting::default();
        assert!(waiting.join(caller().0), "the first one makes it");
        assert!(!waiting.join(caller().0), "the second one joins");
        assert_eq!(waiting.take().len(), 2, "the confirmation begins");
        assert!(!waiting.join(caller().0), "whoever confirms goes on with it");
        assert_eq!(waiting.take().len(), 1, "in a confirmation of its own");
        assert!(waiting.take().is_empty(), "and ends");
        assert!(waiting.join(caller().0), "the next one begins anew");
    }
}
