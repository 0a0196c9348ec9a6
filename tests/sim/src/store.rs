//! The object store that all servers see, over the network, with what goes wrong in such stores.
//!
//! A put may fail, land and lose its answer, land late, or land twice, late puts also after their caller has died; any call
//! may be slow. A server that is cut off from the host `store` gets no answer; when only the way back is cut, its puts land.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt;
use journal::{
    Memory, ObjectError, Objects,
    objects::{Action, Created, ErrorKind, Key, Listed},
};
use rand::{Rng, rngs::StdRng};
use tokio::time::sleep;

use crate::{
    net::{Name, Net},
    time, trace,
};

/// The store's name in the network.
pub const STORE: &str = "store";

/// How often what goes wrong, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Puts that never land.
    pub fails: u32,
    /// Puts that land without an answer.
    pub answer_lost: u32,
    /// Puts that fail and land later.
    pub late: u32,
    /// Puts that land, and once more later.
    pub twice: u32,
    /// Reads, lists and deletes that fail.
    pub reads_fail: u32,
    /// How much longer each call takes.
    pub slow_ms: u64,
}

/// All objects. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Shared>);

struct Shared {
    memory: Memory,
    net: Net,
    state: Mutex<State>,
}

struct State {
    random: StdRng,
    trouble: Trouble,
    /// Puts that are still on their way, by arrival.
    late: BTreeMap<(u64, u64), (Key, Vec<Bytes>)>,
    sent: u64,
    /// Hosts whose next put lands and is not answered.
    unanswered: BTreeSet<Name>,
    /// Those to whom that happened.
    waiting: BTreeSet<Name>,
}

/// What becomes of a put.
enum Fate {
    Good,
    Fails,
    AnswerLost,
    Late(u64),
    Twice(u64),
}

impl Store {
    /// An empty store that is well.
    pub fn new(net: &Net, random: StdRng) -> Self {
        let state = State {
            random,
            trouble: Trouble::default(),
            late: BTreeMap::new(),
            sent: 0,
            unanswered: BTreeSet::new(),
            waiting: BTreeSet::new(),
        };
        Self(Arc::new(Shared { memory: Memory::default(), net: net.clone(), state: Mutex::new(state) }))
    }

    /// The store as one host reaches it.
    pub fn at(&self, host: &str) -> Arc<dyn Objects> {
        Arc::new(Reached { store: self.clone(), host: host.into(), name: STORE.into() })
    }

    /// From now on this goes wrong.
    pub fn trouble(&self, trouble: Trouble) {
        self.state().trouble = trouble;
    }

    /// From now on these hosts get no answer to a put that landed.
    pub fn leave_unanswered(&self, hosts: BTreeSet<Name>) {
        let mut state = self.state();
        state.waiting.retain(|host| hosts.contains(host));
        state.unanswered = hosts;
    }

    /// Whether a put of this host has landed and was not answered.
    pub fn keeps_waiting(&self, host: &Name) -> bool {
        self.state().waiting.contains(host)
    }

    /// Late puts that are due land.
    pub fn deliver(&self) {
        loop {
            let mut state = self.state();
            let Some(entry) = state.late.first_entry().filter(|entry| entry.key().0 <= time::now()) else {
                return;
            };
            let (key, parts) = entry.remove();
            drop(state);
            let made = self.0.memory.create(&key, &parts).now_or_never();
            trace::note(format_args!("late put of {key}: {:?}", made.and_then(Result::ok)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn later(&self, key: &Key, parts: &[Bytes], after_ms: u64) {
        let mut state = self.state();
        state.sent += 1;
        let due = (time::now() + after_ms, state.sent);
        state.late.insert(due, (key.clone(), parts.to_vec()));
    }
}

impl State {
    fn fate(&mut self) -> Fate {
        let (draw, after_ms) = (self.random.random_range(0..100), self.random.random_range(50..4_000));
        let Trouble { fails, answer_lost, late, twice, .. } = self.trouble;
        match draw {
            draw if draw < fails => Fate::Fails,
            draw if draw < fails + answer_lost => Fate::AnswerLost,
            draw if draw < fails + answer_lost + late => Fate::Late(after_ms),
            draw if draw < fails + answer_lost + late + twice => Fate::Twice(after_ms),
            _ => Fate::Good,
        }
    }
}

/// See [`Store::at`].
struct Reached {
    store: Store,
    host: Name,
    name: Name,
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store at {}", self.host)
    }
}

fn failed(action: Action, key: &Key, why: &'static str) -> ObjectError {
    ObjectError { action, key: key.clone(), kind: ErrorKind::Unknown, source: why.into() }
}

impl Reached {
    /// The way there: takes its time, and never ends where it is cut.
    async fn there(&self) {
        let wait_ms = {
            let state = &mut *self.store.state();
            state.random.random_range(1..8) + state.trouble.slow_ms
        };
        sleep(Duration::from_millis(wait_ms)).await;
        self.through(&self.host, &self.name).await;
    }

    /// The way back.
    async fn back(&self) {
        self.through(&self.name, &self.host).await;
    }

    async fn through(&self, from: &Name, to: &Name) {
        if self.store.0.net.is_cut(from, to) {
            std::future::pending::<()>().await;
        }
    }

    fn is_left_waiting(&self) -> bool {
        let state = &mut *self.store.state();
        let waits = state.unanswered.contains(&self.host);
        if waits {
            state.waiting.insert(self.host.clone());
        }
        waits
    }

    async fn reads(&self, action: Action, key: &Key) -> Result<(), ObjectError> {
        self.there().await;
        self.back().await;
        let state = &mut *self.store.state();
        let fails = state.random.random_range(0..100) < state.trouble.reads_fail;
        if fails { Err(failed(action, key, "simulated")) } else { Ok(()) }
    }
}

#[async_trait]
impl Objects for Reached {
    async fn create(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError> {
        self.there().await;
        let memory = &self.store.0.memory;
        let fate = self.store.state().fate();
        let answer = match fate {
            Fate::Good => memory.create(key, parts).await,
            Fate::Fails => Err(failed(Action::Create, key, "simulated: it never landed")),
            Fate::AnswerLost => {
                memory.create(key, parts).await?;
                Err(failed(Action::Create, key, "simulated: the answer was lost"))
            }
            Fate::Late(after_ms) => {
                self.store.later(key, parts, after_ms);
                Err(failed(Action::Create, key, "simulated: late"))
            }
            Fate::Twice(after_ms) => {
                self.store.later(key, parts, after_ms);
                memory.create(key, parts).await
            }
        };
        trace::note(format_args!("{} puts {key}: {:?}", self.host, answer.as_ref().ok()));
        if matches!(answer, Ok(Created::Made)) && self.is_left_waiting() {
            std::future::pending::<()>().await;
        }
        self.back().await;
        answer
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Bytes>, ObjectError> {
        self.reads(Action::Read, key).await?;
        self.store.0.memory.read(key, range).await
    }

    async fn list(&self, folder: &Key) -> Result<Vec<Listed>, ObjectError> {
        self.reads(Action::List, folder).await?;
        self.store.0.memory.list(folder).await
    }

    async fn folders(&self, folder: &Key) -> Result<Vec<String>, ObjectError> {
        self.reads(Action::List, folder).await?;
        self.store.0.memory.folders(folder).await
    }

    async fn delete(&self, key: &Key) -> Result<(), ObjectError> {
        self.reads(Action::Delete, key).await?;
        self.store.0.memory.delete(key).await
    }
}
