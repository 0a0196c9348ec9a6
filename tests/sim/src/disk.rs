//! A controller's disk: keeps what it has acknowledged, and of what it has not, after a crash, the beginning.
//!
//! It stands in for sled (`controller::SledDisk`), which starts threads of its own; that one is proved by the controllers'
//! own tests and by the power cuts of `jepsen/`.

use std::{
    io::{self, Cursor},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use controller::{Disk, Encode, Loaded, StoreError, Write};
use model::FleetId;
use rand::{Rng, rngs::StdRng};
use tokio::time::sleep;

/// What stays when the process ends. Cheap to clone.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

struct State {
    random: StdRng,
    loaded: Loaded,
    image: Option<Vec<u8>>,
    admitted: bool,
    /// Given, and not acknowledged yet.
    pending: Vec<Write>,
    /// How much longer each sync takes.
    slow_ms: u64,
    /// The crashes after which something was missing that had not been acknowledged.
    losses: u64,
}

impl SimDisk {
    /// A new disk.
    pub fn new(random: StdRng) -> Self {
        Self(Arc::new(Mutex::new(State {
            random,
            loaded: Loaded::default(),
            image: None,
            admitted: false,
            pending: Vec::new(),
            slow_ms: 0,
            losses: 0,
        })))
    }

    /// The process or the machine is gone: of what was not acknowledged some beginning stays.
    pub fn crash(&self) {
        let mut state = self.state();
        let pending = std::mem::take(&mut state.pending);
        let kept = state.random.random_range(0..=pending.len());
        state.losses += u64::from(kept < pending.len());
        pending.into_iter().take(kept).for_each(|write| state.apply(write));
    }

    /// Makes each sync take so much longer.
    pub fn slow(&self, more_ms: u64) {
        self.state().slow_ms = more_ms;
    }

    /// How many crashes lost something that had not been acknowledged.
    pub fn losses(&self) -> u64 {
        self.state().losses
    }

    /// Whether something was given to it that is not durable yet.
    pub fn is_writing(&self) -> bool {
        !self.state().pending.is_empty()
    }

    async fn sync(&self) {
        let wait_ms = {
            let state = &mut *self.state();
            state.random.random_range(1..5) + state.slow_ms
        };
        sleep(Duration::from_millis(wait_ms)).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn apply(&mut self, write: Write) {
        let loaded = &mut self.loaded;
        match write {
            Write::Vote(vote) => loaded.vote = Some(vote),
            Write::Append(entries) => loaded.entries.extend(entries),
            Write::Truncate { after } => {
                let last = after.map(|after| after.index);
                loaded.entries.retain(|entry| Some(entry.log_id.index) <= last);
            }
            Write::Purge { upto } => {
                loaded.entries.retain(|entry| entry.log_id.index > upto.index);
                loaded.purged = Some(upto);
            }
            Write::Committed(upto) => loaded.committed = Some(upto),
        }
    }
}

#[async_trait]
impl Disk for SimDisk {
    async fn load(&self) -> Result<Loaded, StoreError> {
        let state = self.state();
        let Loaded { vote, committed, purged, entries } = &state.loaded;
        Ok(Loaded { vote: *vote, committed: *committed, purged: *purged, entries: entries.clone() })
    }

    async fn write(&self, batch: Vec<Write>) -> io::Result<()> {
        self.state().pending = batch;
        self.sync().await;
        let mut state = self.state();
        let batch = std::mem::take(&mut state.pending);
        batch.into_iter().for_each(|write| state.apply(write));
        Ok(())
    }

    async fn put_image(&self, encode: Encode) -> io::Result<()> {
        let mut image = Cursor::new(Vec::new());
        encode(&mut image)?;
        self.sync().await;
        self.state().image = Some(image.into_inner());
        Ok(())
    }

    async fn image(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state().image.clone())
    }

    async fn belong_to(&self, _: FleetId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn is_joining(&self) -> bool {
        !self.state().admitted
    }

    async fn admit(&self) -> Result<(), StoreError> {
        self.sync().await;
        self.state().admitted = true;
        Ok(())
    }

    fn path(&self) -> &Path {
        Path::new("/simulated")
    }
}
