//! The threads on which engines run: the one place that makes them.
//!
//! Engine calls block and compute, so they never run on the runtime's own threads, where they would keep everybody else's
//! sockets waiting. A job moves what it works on to a thread and gets it back; a waiting session occupies none.
//! When all threads are busy with long statements, more are started, within bounds, so that short ones go on:
//! the operating system shares the cores among them.

use std::{
    any::Any,
    cell::RefCell,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, Thread},
    time::Instant,
};

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::limits::{WORKER_IDLE, WORKERS_MAX_PER_CORE, WORKERS_PER_CORE, WORKERS_STUCK};

thread_local! {
    static FOLLOWING: RefCell<Following> = const { RefCell::new(Following::Unwanted) };
}

/// What a thread does after its job, before it looks into the queue.
#[derive(Default)]
enum Following {
    #[default]
    Unwanted,
    Wanted,
    Found(Job),
}

impl Following {
    /// Gives the job back unless it is taken.
    fn offer(&mut self, job: Job) -> Option<Job> {
        match self {
            Self::Wanted => {
                *self = Self::Found(job);
                None
            }
            Self::Unwanted | Self::Found(_) => Some(job),
        }
    }
}

type Job = Box<dyn FnOnce() + Send>;
type Panic = Box<dyn Any + Send>;

/// A handle on the worker threads. Cheap to clone; they end with the last handle.
#[derive(Clone)]
pub struct Workers(Arc<Kind>);

enum Kind {
    Threads(Owner),
    Inline,
}

/// Closes the queue when the last handle goes.
struct Owner(Arc<Queue>);

struct Queue {
    state: Mutex<State>,
    /// There may be more jobs than threads for them.
    crowded: Condvar,
    /// So many threads are always there.
    threads_min: usize,
    /// Never more.
    threads_max: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Jobs taken so far.
    taken: u64,
    threads: usize,
    /// The last to fall asleep is woken first: what it needs is still in its processor's caches, and those who are not needed
    /// sleep until they end.
    sleeping: Vec<Thread>,
    /// Threads that were woken and have not looked for a job yet.
    waking: usize,
    /// Threads that are in a job and wait for something.
    blocked: usize,
    /// The watching thread waits to be told.
    watcher_sleeps: bool,
    closed: bool,
}

impl Workers {
    /// As many threads as this machine wants.
    ///
    /// # Errors
    /// What the system says when it refuses a thread.
    pub fn start() -> std::io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::threads(cores * WORKERS_PER_CORE, cores * WORKERS_MAX_PER_CORE)
    }

    /// This many threads, and while they are all stuck in long jobs, up to that many.
    ///
    /// # Errors
    /// As [`Workers::start`].
    pub fn threads(min: usize, max: usize) -> std::io::Result<Self> {
        let (workers, queue) = Self::unwatched(min, max)?;
        thread::Builder::new().name("engine-watch".into()).spawn(move || queue.watch())?;
        Ok(workers)
    }

    /// Nobody adds threads yet while all are stuck.
    fn unwatched(min: usize, max: usize) -> std::io::Result<(Self, Arc<Queue>)> {
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            crowded: Condvar::new(),
            threads_min: min,
            threads_max: max.max(min),
        });
        let owner = Owner(Arc::clone(&queue));
        for _ in 0..min {
            queue.add_thread(&mut queue.lock())?;
        }
        Ok((Self(Arc::new(Kind::Threads(owner))), queue))
    }

    /// None: jobs run in the task that asks. For simulations, where every interleaving comes from the seed.
    pub fn inline() -> Self {
        Self(Arc::new(Kind::Inline))
    }

    /// Whether jobs run in the task that asks. All servers of a simulation share one thread then, whose clock says nothing of
    /// any of them and differs from run to run: processor time is not counted.
    pub(crate) fn is_inline(&self) -> bool {
        matches!(&*self.0, Kind::Inline)
    }

    /// Where the journal does its blocking work when engines run here.
    pub(crate) fn journal_threads(&self) -> journal::Threads {
        match &*self.0 {
            Kind::Threads(_) => journal::Threads::Pool,
            Kind::Inline => journal::Threads::Inline,
        }
    }

    /// Runs `job` on a thread and gives its result. A panic in it goes on in the caller.
    /// Dropping the wait does not stop the job.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        match &*self.0 {
            Kind::Inline => job(),
            Kind::Threads(owner) => {
                let answer = owner.0.submit(job);
                match answer.await.expect("BUG: a job always answers") {
                    Ok(result) => result,
                    Err(panic) => resume_unwind(panic),
                }
            }
        }
    }

    /// The last thing that a job does, if it may start one that was made [ready](Workers::ready): this thread goes on with that.
    /// It has to be the last thing: what is started waits for the job's end.
    pub fn lastly(&self, start: impl FnOnce()) {
        if self.is_inline() {
            return start();
        }
        FOLLOWING.set(Following::Wanted);
        start();
        FOLLOWING.with_borrow_mut(|following| {
            if let Following::Wanted = following {
                *following = Following::Unwanted;
            }
        });
    }

    /// Makes a job ready to be started by whoever calls what is returned first, with what that gives. Such a job goes before
    /// others. The wait for its result is as in [`Workers::run`]; it needs the start.
    pub fn ready<A: Send + 'static, T: Send + 'static>(
        &self,
        job: impl FnOnce(A) -> T + Send + 'static,
    ) -> (Box<dyn FnOnce(A) + Send>, BoxFuture<'static, T>) {
        const STARTED: &str = "BUG: waited for a job that nobody starts";
        match &*self.0 {
            Kind::Inline => {
                let (start, started) = oneshot::channel();
                // The caller may have stopped waiting.
                let start = Box::new(move |given| drop(start.send(given)));
                (start, Box::pin(async move { job(started.await.expect(STARTED)) }))
            }
            Kind::Threads(owner) => {
                let queue = Arc::clone(&owner.0);
                let (answer, answered) = oneshot::channel();
                let start = Box::new(move |given| queue.push_front(answering(answer, move || job(given))));
                (
                    start,
                    Box::pin(async move {
                        answered.await.expect(STARTED).unwrap_or_else(|panic| resume_unwind(panic))
                    }),
                )
            }
        }
    }

    /// Waits in the middle of a job for something other than the processor, such as a disk. While that lasts another
    /// thread takes this one's place, if one is needed. Of no effect beyond that when called on other threads.
    pub fn while_blocking<T>(&self, wait: impl FnOnce() -> T) -> T {
        let Kind::Threads(owner) = &*self.0 else { return wait() };
        owner.0.block();
        let _unblock = Unblock(&owner.0);
        wait()
    }

    /// Runs `job` without waiting for it: for closing and dropping what blocks.
    pub fn detach(&self, job: impl FnOnce() + Send + 'static) {
        match &*self.0 {
            Kind::Inline => job(),
            // Nobody waits for the answer; a panic was logged by its thread.
            Kind::Threads(owner) => drop(owner.0.submit(job)),
        }
    }
}

/// The calling thread goes on.
struct Unblock<'a>(&'a Queue);

impl Drop for Unblock<'_> {
    fn drop(&mut self) {
        self.0.lock().blocked -= 1;
    }
}

impl Queue {
    fn block(self: &Arc<Self>) {
        let mut state = self.lock();
        state.blocked += 1;
        self.replace_blocked(&mut state);
    }

    /// Adds a thread where jobs wait only because threads are blocked.
    fn replace_blocked(self: &Arc<Self>, state: &mut State) {
        let starved = state.crowded();
        let few = state.threads.saturating_sub(state.blocked) < self.threads_min
            && state.threads < self.threads_max;
        if starved
            && few
            && let Err(error) = self.add_thread(state)
        {
            tracing::warn!(%error, threads = state.threads, "the system gives no more threads");
        }
    }

    fn submit<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<Result<T, Panic>> {
        let (answer, answered) = oneshot::channel();
        let job = answering(answer, job);
        let mut state = self.lock();
        state.jobs.push_back(job);
        self.wake_for(state);
        answered
    }

    fn push_front(self: &Arc<Self>, job: Job) {
        let Some(job) = FOLLOWING.with_borrow_mut(|following| following.offer(job)) else { return };
        let mut state = self.lock();
        state.jobs.push_front(job);
        self.wake_for(state);
    }

    /// A job was added.
    fn wake_for(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        self.replace_blocked(&mut state);
        let crowded = state.crowded() && state.watcher_sleeps;
        let woken = state.sleeping.pop();
        state.waking += usize::from(woken.is_some());
        drop(state);
        if let Some(thread) = woken {
            thread.unpark();
        }
        if crowded {
            self.crowded.notify_one();
        }
    }

    fn add_thread(self: &Arc<Self>, state: &mut State) -> std::io::Result<()> {
        let queue = Arc::clone(self);
        thread::Builder::new().name(format!("engine-{}", state.threads)).spawn(move || queue.work())?;
        state.threads += 1;
        Ok(())
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            job();
            while let Following::Found(job) = FOLLOWING.take() {
                job();
            }
        }
    }

    /// The next job; nothing when this thread should end.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.taken += 1;
                return Some(job);
            }
            if state.closed {
                return None;
            }
            let (own, since) = (thread::current(), Instant::now());
            state.sleeping.push(own.clone());
            drop(state);
            // It may also end by itself, or by a job's own parking: those who are in the list were not woken.
            thread::park_timeout(WORKER_IDLE);
            state = self.lock();
            match state.sleeping.iter().rposition(|thread| thread.id() == own.id()) {
                None => state.waking -= 1,
                Some(at) => {
                    state.sleeping.remove(at);
                    let idle = since.elapsed() >= WORKER_IDLE && state.jobs.is_empty();
                    if idle && state.threads > self.threads_min {
                        state.threads -= 1;
                        return None;
                    }
                }
            }
        }
    }

    /// Adds a thread whenever jobs wait and nobody has taken one for a while.
    fn watch(self: Arc<Self>) {
        let mut state = self.lock();
        while !state.closed {
            if !state.crowded() {
                state.watcher_sleeps = true;
                state = self.crowded.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.watcher_sleeps = false;
                continue;
            }
            let taken = state.taken;
            drop(state);
            thread::sleep(WORKERS_STUCK);
            state = self.lock();
            if !state.jobs.is_empty()
                && state.taken == taken
                && state.threads < self.threads_max
                && let Err(error) = self.add_thread(&mut state)
            {
                tracing::warn!(%error, threads = state.threads, "the system gives no more threads");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answering<T: Send + 'static>(
    answer: oneshot::Sender<Result<T, Panic>>,
    job: impl FnOnce() -> T + Send + 'static,
) -> Job {
    Box::new(move || {
        // The caller may have stopped waiting.
        let _ = answer.send(catch_unwind(AssertUnwindSafe(job)));
    })
}

impl State {
    /// There are more jobs than threads that will look for one now.
    fn crowded(&self) -> bool {
        self.jobs.len() > self.sleeping.len() + self.waking
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.waking += state.sleeping.len();
        state.sleeping.drain(..).for_each(|thread| thread.unpark());
        drop(state);
        self.0.crowded.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    impl Workers {
        fn queue(&self) -> &Queue {
            let Kind::Threads(owner) = &*self.0 else { panic!("no threads") };
            &owner.0
        }
    }

    #[tokio::test]
    async fn jobs_run_on_named_threads_and_answer() {
        let workers = Workers::threads(2, 2).expect("threads");
        let name = workers.run(|| thread::current().name().map(str::to_owned)).await;
        assert!(name.expect("a name").starts_with("engine-"));
    }

    #[tokio::test]
    async fn a_panic_reaches_the_caller_and_spares_the_thread() {
        let workers = Workers::threads(1, 1).expect("threads");
        let caller = tokio::spawn({
            let workers = workers.clone();
            async move { workers.run(|| panic!("as planned")).await }
        });
        let error = caller.await.expect_err("it panicked");
        assert!(error.is_panic());
        assert_eq!(workers.run(|| 7).await, 7, "the thread lives on");
    }

    #[tokio::test]
    async fn many_jobs_share_few_threads() {
        let workers = Workers::threads(3, 3).expect("threads");
        let jobs = (0..100u64).map(|n| {
            let workers = workers.clone();
            tokio::spawn(async move { workers.run(move || n * 2).await })
        });
        let jobs: Vec<_> = jobs.collect();
        let mut sum = 0;
        for job in jobs {
            sum += job.await.expect("no panic");
        }
        assert_eq!(sum, 9900);
    }

    #[tokio::test]
    async fn a_ready_job_runs_once_it_is_started_and_before_others() {
        let workers = Workers::threads(1, 1).expect("threads");
        let order = Arc::new(Mutex::new(Vec::new()));
        let note = |name: &'static str| {
            let order = Arc::clone(&order);
            move || order.lock().expect("no panic").push(name)
        };
        let (begin, held) = std::sync::mpsc::channel::<()>();
        workers.detach(move || held.recv().expect("the test goes on"));
        let (second, note_other) = (workers.clone(), note("other"));
        let (start, done) = workers.ready(|given| given + 1);
        let (start_noting, noted) = workers.ready({
            let note = note("ready");
            move |()| note()
        });
        let other = tokio::spawn(async move { second.run(note_other).await });
        while workers.queue().lock().jobs.is_empty() {
            tokio::task::yield_now().await;
        }
        start_noting(());
        start(6);
        begin.send(()).expect("it waits");
        assert_eq!(done.await, 7);
        noted.await;
        other.await.expect("no panic");
        assert_eq!(*order.lock().expect("no panic"), ["ready", "other"]);
    }

    #[tokio::test]
    async fn what_a_job_starts_lastly_its_own_thread_does_next() {
        let workers = Workers::threads(4, 4).expect("threads");
        for _ in 0..20 {
            let (start, done) = workers.ready(|()| thread::current().id());
            let own = workers.clone();
            let first = workers.run(move || {
                own.lastly(|| start(()));
                thread::current().id()
            });
            assert_eq!(first.await, done.await);
        }
        let (start, done) = workers.ready(|()| panic!("as planned"));
        workers
            .run({
                let workers = workers.clone();
                move || workers.lastly(|| start(()))
            })
            .await;
        let caller = tokio::spawn(done);
        assert!(caller.await.expect_err("it panicked").is_panic());
        let inline = Workers::inline();
        let (start, done) = inline.ready(|given: u8| given + 1);
        inline.lastly(|| start(6));
        assert_eq!(done.await, 7, "without threads, by who waits for it");
    }

    #[tokio::test]
    async fn the_last_to_fall_asleep_is_woken_first() {
        let (workers, queue) = Workers::unwatched(4, 4).expect("threads");
        let mut woken = Vec::new();
        for _ in 0..20 {
            let last = loop {
                if let [_, _, _, last] = &queue.lock().sleeping[..] {
                    break last.id();
                }
                tokio::task::yield_now().await;
            };
            woken.push((workers.run(|| thread::current().id()).await, last));
        }
        assert!(woken.iter().all(|(ran, last)| ran == last), "{woken:?}");
    }

    #[tokio::test]
    async fn short_jobs_go_on_while_long_ones_hold_all_threads() {
        let workers = Workers::threads(2, 4).expect("threads");
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        for _ in 0..2 {
            let held = Arc::clone(&held);
            workers.detach(move || {
                // Ends with the sender.
                let _ = held.lock().expect("no panics").recv();
            });
        }
        assert_eq!(workers.run(|| 7).await, 7, "a third thread came");
        drop(release);
    }

    #[tokio::test]
    async fn threads_that_wait_for_something_else_are_replaced_at_once() {
        let (workers, queue) = Workers::unwatched(2, 4).expect("threads");
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        for _ in 0..2 {
            let (held, own) = (Arc::clone(&held), workers.clone());
            // Ends with the sender.
            workers.detach(move || {
                let _ = own.while_blocking(|| held.lock().expect("no panics").recv());
            });
        }
        while queue.lock().blocked < 2 {
            tokio::task::yield_now().await;
        }
        let done = tokio::time::timeout(Duration::from_secs(30), workers.run(|| 7)).await;
        assert_eq!(done, Ok(7), "another thread came, and nobody watches");
        drop(release);
    }
}
