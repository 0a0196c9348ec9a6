//! Threads that take turns at every operation of the disk, in an order drawn from a seed.

use std::{
    io,
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard},
};

use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::objects::{Appended, Disk, Staged};

/// Whose turn it is.
#[derive(Debug)]
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    random: StdRng,
    /// Threads that have not ended.
    living: usize,
    entered: usize,
    waiting: Vec<usize>,
    chosen: Option<usize>,
}

impl Turns {
    pub(super) fn new(threads: usize, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        let state = State { random, living: threads, entered: 0, waiting: Vec::new(), chosen: None };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Returns when it is this thread's turn.
    fn wait(&self, thread: usize) {
        let mut state = self.state();
        state.waiting.push(thread);
        self.choose(&mut state);
        while state.chosen != Some(thread) {
            state = self.changed.wait(state).expect("BUG: a holder panicked");
        }
        state.chosen = None;
    }

    /// Everybody waits: one may go on.
    fn choose(&self, state: &mut State) {
        if state.chosen.is_none() && state.living > 0 && state.waiting.len() == state.living {
            // In the order of their numbers, whoever came first: one seed is one schedule.
            state.waiting.sort_unstable();
            let index = state.random.random_range(0..state.waiting.len());
            state.chosen = Some(state.waiting.swap_remove(index));
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("BUG: a holder panicked")
    }
}

/// A disk each of whose operations waits for its turn.
#[derive(Debug, Clone)]
pub(super) struct InTurns<D> {
    disk: D,
    turns: Arc<Turns>,
    thread: usize,
}

/// The thread is in the game until this is dropped.
pub(super) struct Turn {
    turns: Arc<Turns>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.living -= 1;
        self.turns.choose(&mut state);
    }
}

impl<D> InTurns<D> {
    pub(super) fn new(disk: D, turns: &Arc<Turns>) -> Self {
        let mut state = turns.state();
        state.entered += 1;
        Self { disk, turns: Arc::clone(turns), thread: state.entered }
    }

    pub(super) fn turn(&self) -> Turn {
        Turn { turns: Arc::clone(&self.turns) }
    }

    fn wait(&self) -> &D {
        self.turns.wait(self.thread);
        &self.disk
    }
}

impl<D: Disk + Clone> Disk for InTurns<D> {
    fn make_dir(&self, dir: &str) -> io::Result<()> {
        self.wait().make_dir(dir)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.wait().sync_dir(dir)
    }

    fn stage(&self, dir: &str) -> io::Result<Box<dyn Staged>> {
        let inner = self.wait().stage(dir)?;
        Ok(Box::new(StagedInTurns { inner, turns: Arc::clone(&self.turns), thread: self.thread }))
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.wait().exists(path)
    }

    fn read(&self, path: &str, range: Option<Range<u64>>) -> io::Result<Bytes> {
        self.wait().read(path, range)
    }

    fn files(&self, dir: &str) -> io::Result<Vec<(String, u64)>> {
        self.wait().files(dir)
    }

    fn dirs(&self, dir: &str) -> io::Result<Vec<String>> {
        self.wait().dirs(dir)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.wait().remove(path)
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Appended>> {
        let inner = self.wait().open(path)?;
        Ok(Box::new(AppendedInTurns { inner, turns: Arc::clone(&self.turns), thread: self.thread }))
    }

    fn appends_atomically(&self) -> io::Result<bool> {
        self.wait().appends_atomically()
    }
}

struct StagedInTurns {
    inner: Box<dyn Staged>,
    turns: Arc<Turns>,
    thread: usize,
}

impl Staged for StagedInTurns {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.turns.wait(self.thread);
        self.inner.write(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.turns.wait(self.thread);
        self.inner.sync()
    }

    fn link(&mut self, path: &str) -> io::Result<crate::objects::Link> {
        self.turns.wait(self.thread);
        self.inner.link(path)
    }
}

#[derive(Debug)]
struct AppendedInTurns {
    inner: Box<dyn Appended>,
    turns: Arc<Turns>,
    thread: usize,
}

impl AppendedInTurns {
    fn wait(&self) -> &dyn Appended {
        self.turns.wait(self.thread);
        &*self.inner
    }
}

impl Appended for AppendedInTurns {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.wait().append(bytes)
    }

    fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        self.wait().read_at(range)
    }

    fn size(&self) -> io::Result<u64> {
        self.wait().size()
    }

    fn is_named(&self) -> io::Result<bool> {
        self.wait().is_named()
    }

    fn sync(&self) -> io::Result<()> {
        self.wait().sync()
    }

    fn punch(&self, range: Range<u64>) -> io::Result<()> {
        self.wait().punch(range)
    }
}
