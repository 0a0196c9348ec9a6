//! A session and its presence in the database, as one thing that travels between its task and the worker threads.

use bytes::BytesMut;

use crate::{
    engine::{Session, Step},
    residency::Visit,
    workers::Workers,
};

/// A session inside its database. Fields are dropped in this order, which the visit demands.
pub struct Inside {
    pub session: Box<dyn Session>,
    pub visit: Visit,
}

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
    pub fn step(&mut self, mut out: BytesMut) -> impl Future<Output = (Inside, BytesMut, Step)> + use<> {
        let mut inside = self.inside.take().expect("BUG: the session is on a thread");
        let workers = self.workers.clone();
        let counted = !workers.is_inline();
        async move {
            workers
                .run(move || {
                    let Inside { session, visit } = &mut inside;
                    let mut work = || {
                        let step = session.step(&mut out);
                        visit.stepped();
                        step
                    };
                    let step = if counted { visit.used().run(work) } else { work() };
                    (inside, out, step)
                })
                .await
        }
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
