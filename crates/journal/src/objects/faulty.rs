//! A store that fails as real ones do, out of a seed: for tests and simulations.
//!
//! A put may fail before it lands, land and lose its answer, land long after its caller was told that it failed, or
//! land twice; any call may be slow. Switches make the whole store full, read-only or unreachable.

use std::{
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Action, Created, ErrorKind, Key, Listed, ObjectError, Objects};

/// How often what goes wrong; shares of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// Creates that fail and never land.
    pub put_fails: f64,
    /// Creates that land and are answered by an error.
    pub answer_lost: f64,
    /// Creates that are answered by an error and land after [`Faults::late_ms`].
    pub put_late: f64,
    /// Creates that land, and are tried by the network once more after [`Faults::late_ms`].
    pub put_twice: f64,
    /// Reads, lists and deletes that fail.
    pub read_fails: f64,
    /// How late a late one lands.
    pub late_ms: Range<u64>,
    /// How long each call takes.
    pub latency_ms: Range<u64>,
    /// Every create is refused with this reason: the store is full, or read-only.
    pub refuse_puts: Option<&'static str>,
    /// Every call fails with this reason: the store is out of reach.
    pub unreachable: Option<&'static str>,
}

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        put_fails: 0.0,
        answer_lost: 0.0,
        put_late: 0.0,
        put_twice: 0.0,
        read_fails: 0.0,
        late_ms: 0..1,
        latency_ms: 0..1,
        refuse_puts: None,
        unreachable: None,
    };
}

/// A store behind [`Faults`].
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn Objects>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    faults: Faults,
    random: StdRng,
}

/// What happens to one create.
enum Fate {
    Good,
    Fails,
    AnswerLost,
    Late(Duration),
    Twice(Duration),
}

impl Faulty {
    /// `inner` behind `faults`, drawn from `seed`.
    pub fn new(inner: Arc<dyn Objects>, faults: Faults, seed: u64) -> Self {
        Self { inner, state: Mutex::new(State { faults, random: StdRng::seed_from_u64(seed) }) }
    }

    /// From now on these.
    pub fn set(&self, faults: Faults) {
        self.state().faults = faults;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("BUG: a holder panicked")
    }

    /// Waits as long as this call takes, and fails if all calls do.
    async fn reach(&self, action: Action, key: &Key) -> Result<(), ObjectError> {
        let (latency, unreachable) = {
            let State { faults, random } = &mut *self.state();
            (random.random_range(faults.latency_ms.clone()), faults.unreachable)
        };
        if latency > 0 {
            tokio::time::sleep(Duration::from_millis(latency)).await;
        }
        unreachable.map_or(Ok(()), |why| Err(action.failed(key, ErrorKind::Unknown, why)))
    }

    async fn reach_to_read(&self, action: Action, key: &Key) -> Result<(), ObjectError> {
        self.reach(action, key).await?;
        let State { faults, random } = &mut *self.state();
        if random.random_bool(faults.read_fails) {
            return Err(action.failed(key, ErrorKind::Unknown, "injected: failed"));
        }
        Ok(())
    }

    fn fate(&self) -> Fate {
        let State { faults, random } = &mut *self.state();
        let late = Duration::from_millis(random.random_range(faults.late_ms.clone()));
        let mut draw: f64 = random.random();
        let fates = [
            (faults.put_fails, Fate::Fails),
            (faults.answer_lost, Fate::AnswerLost),
            (faults.put_late, Fate::Late(late)),
            (faults.put_twice, Fate::Twice(late)),
        ];
        for (share, fate) in fates {
            if draw < share {
                return fate;
            }
            draw -= share;
        }
        Fate::Good
    }

    fn create_later(&self, after: Duration, key: &Key, parts: &[Bytes]) {
        let (inner, key, parts) = (Arc::clone(&self.inner), key.clone(), parts.to_vec());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            // Nobody waits for this answer.
            drop(inner.create(&key, &parts).await);
        });
    }
}

#[async_trait]
impl Objects for Faulty {
    async fn create(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError> {
        self.reach(Action::Create, key).await?;
        if let Some(why) = self.state().faults.refuse_puts {
            return Err(Action::Create.failed(key, ErrorKind::Refused, why));
        }
        let lost = |why: &'static str| Err(Action::Create.failed(key, ErrorKind::Unknown, why));
        match self.fate() {
            Fate::Good => self.inner.create(key, parts).await,
            Fate::Fails => lost("injected: failed"),
            Fate::AnswerLost => {
                self.inner.create(key, parts).await?;
                lost("injected: answer lost")
            }
            Fate::Late(after) => {
                self.create_later(after, key, parts);
                lost("injected: late")
            }
            Fate::Twice(after) => {
                self.create_later(after, key, parts);
                self.inner.create(key, parts).await
            }
        }
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Bytes>, ObjectError> {
        self.reach_to_read(Action::Read, key).await?;
        self.inner.read(key, range).await
    }

    async fn list(&self, folder: &Key) -> Result<Vec<Listed>, ObjectError> {
        self.reach_to_read(Action::List, folder).await?;
        self.inner.list(folder).await
    }

    async fn folders(&self, folder: &Key) -> Result<Vec<String>, ObjectError> {
        self.reach_to_read(Action::List, folder).await?;
        self.inner.folders(folder).await
    }

    async fn delete(&self, key: &Key) -> Result<(), ObjectError> {
        self.reach_to_read(Action::Delete, key).await?;
        self.inner.delete(key).await
    }

    async fn delete_all(&self, keys: &[Key]) -> Result<(), ObjectError> {
        let Some(first) = keys.first() else { return Ok(()) };
        self.reach_to_read(Action::Delete, first).await?;
        self.inner.delete_all(keys).await
    }
}
