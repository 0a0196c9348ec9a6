//! A session and its presence in the database, as one thing that travels between its task and the worker threads.

use bytes::BytesMut;

use crate::{
    engine::{Session, Step, WriterPlace},
    residency::Visit,
    workers::Workers,
};

/// A session inside its database. Fields are dropped in this order, which the visit demands.
pub struct Inside {
    pub session: Box<dyn Session>,
    pub visit: Visit,
}

/// A session after a step, its output, and what it needs next.
pub type Stepped = (Inside, BytesMut, Step);

/// Holds the session while it is not on a thread, and sees to it that it ends on one: ending may block.
pub struct Seat {
    inside: Option<Inside>,
    workers: Workers,
}

impl Seat {
    pub fn new(inside: Inside, workers: Workers) -> Self {
        Self { inside: Some(inside), workers }
    }

    pub fn session(&mut self) -> &mut dyn Session {
        &mut *self.inside_mut().session
    }

    pub fn visit(&self) -> &Visit {
        &self.inside.as_ref().expect("BUG: the session is on a thread").visit
    }

    fn inside_mut(&mut self) -> &mut Inside {
        self.inside.as_mut().expect("BUG: the session is on a thread")
    }

    /// Sends the session to a thread for one step. Put it back with [`Seat::back`].
    ///
    /// A wait that is dropped leaves the session to the thread, which ends it.
    pub fn step(&mut self, out: BytesMut) -> impl Future<Output = Stepped> + use<> {
        let seat = self.travel();
        let workers = self.workers.clone();
        async move { workers.run(move || seat.work(out)).await }
    }

    /// The same, as soon as it is this session's turn to write: at once on a thread, without a detour through the waiting
    /// task. Who [leaves](WriterPlace::leave) the place in the queue has to call what was to be done there.
    pub fn step_in_turn(&mut self, out: BytesMut) -> (WriterPlace, impl Future<Output = Stepped> + use<>) {
        let mut seat = self.travel();
        let queue = seat.visit().database().writer_queue().clone();
        let (turn, stepped) = self.workers.ready(move |permit| {
            if let Some(permit) = permit {
                seat.session().grant_writer(permit);
            }
            seat.work(out)
        });
        (queue.enqueue(turn), stepped)
    }

    /// What goes to a thread. If it is dropped on the way, it still ends on one.
    fn travel(&mut self) -> Self {
        let inside = self.inside.take();
        assert!(inside.is_some(), "BUG: the session is on a thread");
        Self { inside, workers: self.workers.clone() }
    }

    fn work(mut self, mut out: BytesMut) -> Stepped {
        let mut inside = self.inside.take().expect("BUG: it travels with the session");
        let Inside { session, visit } = &mut inside;
        let mut work = || {
            let step = session.step(&mut out);
            let next = session.next_writer();
            visit.stepped(next.is_some());
            (step, next)
        };
        let (step, next) = if self.workers.is_inline() { work() } else { visit.used().run(work) };
        self.workers.lastly(|| drop(next));
        (inside, out, step)
    }

    /// The session came back.
    pub fn back(&mut self, inside: Inside) {
        self.inside = Some(inside);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(inside) = self.inside.take() {
            self.workers.detach(move || drop(inside));
        }
    }
}
