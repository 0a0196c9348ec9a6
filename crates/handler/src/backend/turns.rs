//! Turns at a server: so many sessions are opened there at once, the others in the order in which they came.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{ATTACHES_PER_SERVER_MAX, SERVER_KEYS_MAX};

/// Turns by server address.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<String, Arc<Semaphore>>>);

impl Turns {
    /// Waits for a turn, which lasts until it is dropped.
    pub(super) async fn take(&self, address: &str) -> OwnedSemaphorePermit {
        let queue = self.queue(address);
        queue.acquire_owned().await.expect("BUG: nobody closes the queue")
    }

    fn queue(&self, address: &str) -> Arc<Semaphore> {
        let mut queues = self.0.lock().expect("BUG: nothing panics while holding this lock");
        if let Some(queue) = queues.get(address) {
            return queue.clone();
        }
        if queues.len() >= SERVER_KEYS_MAX {
            queues.retain(|_, queue| Arc::strong_count(queue) > 1);
        }
        let queue = Arc::new(Semaphore::new(ATTACHES_PER_SERVER_MAX));
        queues.insert(address.to_owned(), queue.clone());
        queue
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn no_more_than_so_many_are_at_one_server_at_once_and_the_others_come_in_order() {
        let turns = Turns::default();
        let mut inside: Vec<_> = Vec::new();
        for _ in 0..ATTACHES_PER_SERVER_MAX {
            inside.push(turns.take("a").await);
        }
        let mut second = Box::pin(turns.take("a"));
        let mut third = Box::pin(turns.take("a"));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        assert!(turns.take("b").now_or_never().is_some(), "another server is another queue");
        inside.pop();
        assert!(third.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_some());
    }
}
