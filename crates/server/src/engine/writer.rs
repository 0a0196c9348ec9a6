//! The queue for a database's one writer.
//!
//! SQLite lets one transaction write at a time. Sessions wait here, in order and without a thread, rather than in SQLite's
//! busy handler, where they would hold a worker each and starve the writer itself. Whoever lets go calls the next one
//! itself: nothing stands between two writers but the queue.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A fair queue of one permit. Clones are the same queue.
#[derive(Clone)]
pub struct WriterQueue(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    /// Somebody has the permit.
    taken: bool,
    /// In order of their numbers.
    waiting: VecDeque<(u64, WriterTurn)>,
    arrived: u64,
}

/// What is done when the turn comes, with the permit; or without it, by one who does not wait any longer.
/// It is called on the thread of whoever had the permit before, and must not block.
pub type WriterTurn = Box<dyn FnOnce(Option<WriterPermit>) + Send>;

/// The right to write, until dropped.
pub struct WriterPermit {
    /// Nothing once it was passed on.
    queue: Option<WriterQueue>,
}

/// The next writer, who has the permit and waits to be called. That happens when this is dropped.
pub struct NextWriter(Option<(WriterTurn, WriterPermit)>);

/// A place in the queue, which is left when this is dropped.
pub struct WriterPlace {
    queue: WriterQueue,
    number: u64,
}

impl WriterQueue {
    /// A free queue.
    #[expect(clippy::new_without_default, reason = "a queue belongs to one database, never to a default")]
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// The permit if nobody has it and nobody waits for it.
    pub fn try_acquire(&self) -> Option<WriterPermit> {
        let mut queue = self.lock();
        // Whoever waits is called by the one who has it.
        let free = !std::mem::replace(&mut queue.taken, true);
        drop(queue);
        free.then(|| self.permit())
    }

    /// Whether somebody has the permit.
    pub fn is_taken(&self) -> bool {
        self.lock().taken
    }

    /// Has `turn` called with the permit, after all who came before; at once where it is free.
    pub fn enqueue(&self, turn: WriterTurn) -> WriterPlace {
        let mut queue = self.lock();
        queue.arrived += 1;
        let place = WriterPlace { queue: self.clone(), number: queue.arrived };
        if std::mem::replace(&mut queue.taken, true) {
            queue.waiting.push_back((place.number, turn));
        } else {
            drop(queue);
            turn(Some(self.permit()));
        }
        place
    }

    fn permit(&self) -> WriterPermit {
        WriterPermit { queue: Some(self.clone()) }
    }

    /// The one to whom the permit goes that somebody gives back.
    fn next(&self) -> Option<WriterTurn> {
        let mut queue = self.lock();
        let next = queue.waiting.pop_front();
        queue.taken = next.is_some();
        next.map(|(_, turn)| turn)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriterPlace {
    /// Leaves the queue: what was to be done there, unless its turn has come already.
    pub fn leave(&self) -> Option<WriterTurn> {
        let mut queue = self.queue.lock();
        let at = queue.waiting.binary_search_by_key(&self.number, |(number, _)| *number).ok()?;
        queue.waiting.remove(at).map(|(_, turn)| turn)
    }
}

impl Drop for WriterPlace {
    fn drop(&mut self) {
        self.leave();
    }
}

impl WriterPermit {
    /// Gives the permit to the next one, if anybody waits, who is still to be called.
    pub fn pass_on(mut self) -> Option<NextWriter> {
        let queue = self.queue.take()?;
        queue.next().map(|turn| NextWriter(Some((turn, Self { queue: Some(queue) }))))
    }
}

impl Drop for WriterPermit {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take()
            && let Some(turn) = queue.next()
        {
            turn(Some(Self { queue: Some(queue) }));
        }
    }
}

impl Drop for NextWriter {
    fn drop(&mut self) {
        if let Some((turn, permit)) = self.0.take() {
            turn(Some(permit));
        }
    }
}

impl fmt::Debug for WriterPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriterPermit")
    }
}

impl fmt::Debug for NextWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NextWriter")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    type Came = (u32, Option<WriterPermit>);

    fn enqueue(queue: &WriterQueue, name: u32, came: &Sender<Came>) -> WriterPlace {
        let came = came.clone();
        queue.enqueue(Box::new(move |permit| came.send((name, permit)).expect("the test listens")))
    }

    fn queue() -> (WriterQueue, Sender<Came>, Receiver<Came>) {
        let (sender, receiver) = channel();
        (WriterQueue::new(), sender, receiver)
    }

    #[test]
    fn turns_come_in_order_and_one_at_a_time() {
        let (queue, sender, came) = queue();
        let places = [1, 2, 3].map(|name| enqueue(&queue, name, &sender));
        for name in [1, 2, 3] {
            let (who, permit) = came.try_recv().expect("called by the one before");
            assert_eq!((who, permit.is_some()), (name, true));
            assert!(came.try_recv().is_err(), "only one");
            assert!(queue.try_acquire().is_none(), "nobody goes past those who wait");
        }
        assert!(queue.try_acquire().is_some(), "free again");
        assert!(places.iter().all(|place| place.leave().is_none()), "nobody is left");
    }

    #[test]
    fn the_next_one_has_the_permit_before_it_is_called() {
        let (queue, sender, came) = queue();
        let permit = queue.try_acquire().expect("free");
        let place = enqueue(&queue, 1, &sender);
        let next = permit.pass_on().expect("one waits");
        assert!(place.leave().is_none() && queue.try_acquire().is_none(), "it has the permit");
        assert!(came.try_recv().is_err(), "it was not called yet");
        drop(next);
        let (_, permit) = came.try_recv().expect("called");
        assert!(permit.expect("with the permit").pass_on().is_none() && !queue.is_taken(), "nobody is left");
    }

    #[test]
    fn whoever_leaves_is_not_called_and_holds_nobody_up() {
        let (queue, sender, came) = queue();
        let permit = queue.try_acquire().expect("free");
        let (first, second) = (enqueue(&queue, 1, &sender), enqueue(&queue, 2, &sender));
        let _third = enqueue(&queue, 3, &sender);
        drop(first);
        second.leave().expect("it waited")(None);
        assert!(matches!(came.try_recv(), Ok((2, None))), "called by itself, without the permit");
        drop(permit);
        assert!(matches!(came.try_recv(), Ok((3, Some(_)))));
        assert!(queue.try_acquire().is_some(), "the last one has let go");
    }
}
