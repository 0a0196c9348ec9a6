//! A store that loses a process's puts, or only their answers, and counts them.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use journal::{
    ObjectError, Objects,
    objects::{Created, Key, Listed},
};

use super::eventually;

/// What becomes of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Puts {
    /// It lands and is answered.
    Land,
    /// It lands, and no answer ever comes.
    LandUnheard,
    /// It never lands, and no answer ever comes.
    Vanish,
}

/// One process's way to a store.
#[derive(Debug)]
pub struct Cable {
    store: Arc<dyn Objects>,
    puts: AtomicU8,
    tried: AtomicU64,
}

impl Cable {
    pub fn to(store: Arc<dyn Objects>) -> Arc<Self> {
        Arc::new(Self { store, puts: AtomicU8::new(Puts::Land as u8), tried: AtomicU64::new(0) })
    }

    /// From now on puts go like this.
    pub fn set(&self, puts: Puts) {
        self.puts.store(puts as u8, Ordering::SeqCst);
        self.tried.store(0, Ordering::SeqCst);
    }

    /// Waits for a put since [`Cable::set`]; what was to become of it has become.
    pub async fn tried(&self) {
        eventually("a put", async || match self.tried.load(Ordering::SeqCst) {
            0 => Err("none"),
            _some => Ok(()),
        })
        .await;
    }
}

#[async_trait]
impl Objects for Cable {
    async fn create(&self, key: &Key, parts: &[Bytes]) -> Result<Created, ObjectError> {
        let puts = self.puts.load(Ordering::SeqCst);
        if puts == Puts::Vanish as u8 {
            self.tried.fetch_add(1, Ordering::SeqCst);
            return std::future::pending().await;
        }
        let created = self.store.create(key, parts).await;
        self.tried.fetch_add(1, Ordering::SeqCst);
        if puts == Puts::LandUnheard as u8 {
            return std::future::pending().await;
        }
        created
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<Bytes>, ObjectError> {
        self.store.read(key, range).await
    }

    async fn list(&self, folder: &Key) -> Result<Vec<Listed>, ObjectError> {
        self.store.list(folder).await
    }

    async fn folders(&self, folder: &Key) -> Result<Vec<String>, ObjectError> {
        self.store.folders(folder).await
    }

    async fn delete(&self, key: &Key) -> Result<(), ObjectError> {
        self.store.delete(key).await
    }
}
