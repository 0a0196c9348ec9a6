//! Where blocking work runs: threads of our own, each with one thing that it owns. The only place that starts threads.
//!
//! Disk and long computations stay off the async workers this way. A [`Worker`] can also run its work in place: the
//! simulation does, because threads have an order of their own.

use std::sync::{Mutex, mpsc};

use tokio::sync::oneshot;

use crate::limits::NICENESS;

/// The work ended before its answer: its thread panicked, which is a bug that has been reported on stderr already.
#[derive(Debug, thiserror::Error)]
#[error("the {worker} thread is gone")]
pub struct Gone {
    worker: &'static str,
}

impl From<Gone> for std::io::Error {
    fn from(gone: Gone) -> Self {
        Self::other(gone)
    }
}

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Owns an `S` and does blocking work on it, one job after the other, in the order given.
pub struct Worker<S> {
    name: &'static str,
    place: Place<S>,
}

enum Place<S> {
    Thread(mpsc::Sender<Job<S>>),
    Here(Mutex<S>),
}

impl<S: Send + 'static> Worker<S> {
    /// Starts a thread that owns `state`. It ends when the worker is dropped and what was queued is done.
    ///
    /// # Errors
    /// Whatever the system says when it has no thread to give.
    pub fn spawn(name: &'static str, mut state: S) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job<S>>();
        std::thread::Builder::new().name(name.into()).spawn(move || {
            for job in queue {
                job(&mut state);
            }
        })?;
        Ok(Self { name, place: Place::Thread(jobs) })
    }

    /// The same, for work that may wait: where processors are short, others come first.
    ///
    /// # Errors
    /// As [`Worker::spawn`].
    pub fn spawn_behind(name: &'static str, state: S) -> std::io::Result<Self> {
        let worker = Self::spawn(name, state)?;
        if let Place::Thread(jobs) = &worker.place {
            // On Linux this is about the calling thread alone. Without it the work is done as well.
            let step_back: Job<S> = Box::new(|_| {
                rustix::process::setpriority_process(None, NICENESS).ok();
            });
            // Its first job: it takes some until the worker is dropped, so this cannot fail.
            jobs.send(step_back).ok();
        }
        Ok(worker)
    }

    /// Does the work in the calling task.
    pub fn here(name: &'static str, state: S) -> Self {
        Self { name, place: Place::Here(Mutex::new(state)) }
    }

    /// Does one job and waits for it. A caller that stops waiting does not stop the job.
    ///
    /// # Errors
    /// [`Gone`] when the thread died.
    pub async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let gone = || Gone { worker: self.name };
        match &self.place {
            Place::Here(state) => Ok(job(&mut *state.lock().map_err(|_| gone())?)),
            Place::Thread(jobs) => {
                let (answer, answered) = oneshot::channel();
                let job: Job<S> = Box::new(move |state| {
                    // Nobody waits for the answer any more: that is the caller's choice.
                    let _ = answer.send(job(state));
                });
                jobs.send(job).map_err(|_| gone())?;
                answered.await.map_err(|_| gone())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_run_in_order_on_either_place() {
        for worker in [Worker::spawn("test", 1).expect("a thread"), Worker::here("test", 1)] {
            let first = worker.call(|number| {
                *number += 1;
                *number
            });
            assert_eq!(first.await.expect("alive"), 2);
            assert_eq!(worker.call(|number| *number).await.expect("alive"), 2);
        }
    }

    #[tokio::test]
    async fn a_dead_thread_is_reported_and_not_waited_for() {
        let worker = Worker::spawn("test", ()).expect("a thread");
        let died = worker.call(|()| std::panic::resume_unwind(Box::new("on purpose"))).await;
        let died: Result<(), Gone> = died;
        assert!(died.is_err());
        assert!(worker.call(|()| ()).await.expect_err("still dead").to_string().contains("test thread"));
    }
}
