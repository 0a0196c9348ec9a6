//! Which connection a client's session has: one at a time, and always the newest.
//!
//! Who comes with a session's id has the older connection cut off, and goes on only when that one's session is over, with
//! everything that it was about to commit: so what the journal does not have then, it never will.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::SessionId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The client sessions inside a database, by id.
#[derive(Debug, Default)]
pub struct Attachments(Mutex<BTreeMap<SessionId, Slot>>);

#[derive(Debug)]
struct Slot {
    /// Belongs to whoever is inside.
    turn: Arc<Semaphore>,
    /// The newest connection's: fires when there is a newer one.
    replaced: CancellationToken,
    /// Those inside and those who wait.
    connections: usize,
}

impl Default for Slot {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), replaced: CancellationToken::new(), connections: 0 }
    }
}

/// A connection's hold of its session. Drop it after the session.
#[derive(Debug)]
pub struct Attached {
    attachments: Arc<Attachments>,
    session: SessionId,
    replaced: CancellationToken,
    turn: Option<OwnedSemaphorePermit>,
}

/// A newer connection has come meanwhile.
#[derive(Debug, PartialEq, Eq)]
pub struct Replaced;

impl Attachments {
    /// Cuts off the session's older connections and waits until they are over.
    pub async fn attach(self: &Arc<Self>, session: SessionId) -> Result<Attached, Replaced> {
        let (turn, mut attached) = self.come(session);
        tokio::select! {
            biased;
            () = attached.replaced.cancelled() => return Err(Replaced),
            turn = turn.acquire_owned() => attached.turn = Some(turn.expect("BUG: it is never closed")),
        }
        Ok(attached)
    }

    fn come(self: &Arc<Self>, session: SessionId) -> (Arc<Semaphore>, Attached) {
        let mut slots = self.slots();
        let slot = slots.entry(session).or_default();
        slot.replaced.cancel();
        slot.replaced = CancellationToken::new();
        slot.connections += 1;
        let (turn, replaced) = (Arc::clone(&slot.turn), slot.replaced.clone());
        (turn, Attached { attachments: Arc::clone(self), session, replaced, turn: None })
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<SessionId, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attached {
    /// Fires when a newer connection has come.
    pub fn replaced(&self) -> &CancellationToken {
        &self.replaced
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let mut slots = self.attachments.slots();
        let slot = slots.get_mut(&self.session).expect("BUG: it stays while it has connections");
        slot.connections -= 1;
        if slot.connections == 0 {
            slots.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const ID: SessionId = SessionId(7);

    #[tokio::test]
    async fn who_comes_later_waits_until_the_older_one_is_over() {
        let attachments = Arc::new(Attachments::default());
        let first = attachments.attach(ID).await.expect("alone");
        let mut second = Box::pin(attachments.attach(ID));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(first.replaced().is_cancelled(), "it is told to end");
        drop(first);
        let second = second.await.expect("its turn");
        assert!(!second.replaced().is_cancelled());
        drop(second);
        assert!(attachments.slots().is_empty(), "nothing stays");
    }

    #[tokio::test]
    async fn only_the_newest_of_those_who_wait_gets_in() {
        let attachments = Arc::new(Attachments::default());
        let first = attachments.attach(ID).await.expect("alone");
        let mut second = Box::pin(attachments.attach(ID));
        assert!(second.as_mut().now_or_never().is_none());
        let mut third = Box::pin(attachments.attach(ID));
        assert!(third.as_mut().now_or_never().is_none());
        assert_eq!(second.await.expect_err("there is a newer one"), Replaced);
        assert!(third.as_mut().now_or_never().is_none(), "the first is still there");
        drop(first);
        drop(third.await.expect("its turn"));
        assert!(attachments.slots().is_empty());
    }

    #[tokio::test]
    async fn who_gives_up_waiting_is_in_nobodys_way() {
        let attachments = Arc::new(Attachments::default());
        let first = attachments.attach(ID).await.expect("alone");
        let mut second = Box::pin(attachments.attach(ID));
        assert!(second.as_mut().now_or_never().is_none());
        drop(second);
        let mut third = Box::pin(attachments.attach(ID));
        // The first is inside, whoever has given up before.
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        third.await.expect("its turn");
    }

    #[tokio::test]
    async fn sessions_do_not_wait_for_each_other() {
        let attachments = Arc::new(Attachments::default());
        let _first = attachments.attach(ID).await.expect("alone");
        let _other = attachments.attach(SessionId(8)).await.expect("another session");
    }
}
