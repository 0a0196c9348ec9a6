//! Taking a snapshot in three steps, so that commits go on meanwhile: a draft holds what the log says at a position;
//! the image of exactly that position is packed (files and compression, on any thread); the bytes are put.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use model::DatabaseId;

use super::{Chunk, Head};
use crate::{
    Position, State, Store,
    damage::{Damage, Damaged, Object},
    limits::{BACKOFF_MAX, BACKOFF_MIN, SNAPSHOT_CHUNK},
    log::{Log, ReadError},
    names::Name,
    objects::{Action, Created, ErrorKind, ObjectError},
    policy::Debt,
};

/// What the log says at the position of a snapshot to be. From [`crate::Writer::snapshot_draft`].
#[derive(Debug)]
pub struct SnapshotDraft {
    pub(crate) log: Log,
    pub(crate) state: State,
    pub(crate) debt: Debt,
}

/// A snapshot's bytes, ready to be put.
#[derive(Debug)]
pub struct PackedSnapshot {
    log: Log,
    state: State,
    debt: Debt,
    parts: Vec<Bytes>,
}

/// A snapshot is in the store. The owner wants to know: [`crate::Writer::snapshot_taken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The last position that it includes.
    pub position: Position,
    /// Its bytes in the store.
    pub size: u64,
    /// What need not be replayed any more.
    pub(crate) debt: Debt,
}

/// A snapshot could not be taken. Nothing is lost: the log is as it was, only longer to replay.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The image could not be read, or is shorter than the log says.
    #[error("{database}: could not read the image for the snapshot of position {position}")]
    Image {
        /// The database.
        database: DatabaseId,
        /// The position.
        position: Position,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store did not take it.
    #[error("{database}: could not store the snapshot of position {position}")]
    Store {
        /// The database.
        database: DatabaseId,
        /// The position.
        position: Position,
        /// Why.
        #[source]
        source: ObjectError,
    },
    /// Something else is there already.
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

impl SnapshotDraft {
    /// The position whose image must be packed.
    pub fn position(&self) -> Position {
        self.state.position
    }

    /// Bytes of that image.
    pub fn image_len(&self) -> u64 {
        u64::from(self.state.page_size) * u64::from(self.state.image_pages)
    }

    /// Packs the image of exactly this position. Reads and compresses: not for an async worker.
    ///
    /// # Errors
    /// [`SnapshotError::Image`].
    pub fn pack(self, mut image: impl Read) -> Result<PackedSnapshot, SnapshotError> {
        let (mut chunks, mut parts) = (Vec::new(), vec![Bytes::new()]);
        let mut left = self.image_len();
        while left > 0 {
            let mut raw = vec![0; left.min(SNAPSHOT_CHUNK as u64) as usize];
            image.read_exact(&mut raw).map_err(|source| self.image_error(source))?;
            left -= raw.len() as u64;
            let (chunk, packed) = Chunk::pack(raw);
            chunks.push(chunk);
            parts.push(packed);
        }
        parts[0] = Head::encode(&self.state, self.log.place(), &chunks);
        Ok(PackedSnapshot { log: self.log, state: self.state, debt: self.debt, parts })
    }

    /// Packs and puts the image in a file, the former beside the async workers.
    ///
    /// # Errors
    /// See [`SnapshotError`].
    pub async fn take(self, image: &Path) -> Result<Taken, SnapshotError> {
        let (threads, image): (_, PathBuf) = (self.log.store().threads(), image.into());
        let packed = threads.run(move || {
            let file = std::fs::File::open(&image).map_err(|source| self.image_error(source))?;
            self.pack(file)
        });
        packed.await?.put().await
    }

    fn image_error(&self, source: io::Error) -> SnapshotError {
        SnapshotError::Image { database: self.log.database(), position: self.position(), source }
    }
}

impl PackedSnapshot {
    /// Its bytes in the store.
    pub fn size(&self) -> u64 {
        self.parts.iter().map(|p| p.len() as u64).sum()
    }

    /// Puts it, trying again as long as the store's patience lasts. One that is there already is as good.
    ///
    /// # Errors
    /// [`SnapshotError::Store`], or [`SnapshotError::Damaged`] when what is there is of another log.
    pub async fn put(&self) -> Result<Taken, SnapshotError> {
        let position = self.state.position;
        let taken = self.taken(self.size());
        match self.create().await {
            Ok(Created::Made) => Ok(taken),
            Ok(Created::Taken) => self.compare().await,
            Err(source) => Err(SnapshotError::Store { database: self.log.database(), position, source }),
        }
    }

    fn taken(&self, size: u64) -> Taken {
        Taken { position: self.state.position, size, debt: self.debt }
    }

    async fn create(&self) -> Result<Created, ObjectError> {
        let store: &Store = self.log.store();
        let key = self.log.key(&Name::Snapshot(self.state.position));
        // Large, so the time for one attempt is the time for all.
        let patience = store.patience().total + Duration::from_secs(self.size() >> 22);
        let end = tokio::time::Instant::now() + patience;
        let mut pause = BACKOFF_MIN;
        loop {
            let created = tokio::time::timeout_at(end, store.objects().create(&key, &self.parts)).await;
            let error = match created {
                Ok(Ok(created)) => return Ok(created),
                Ok(Err(error)) => error,
                Err(_) => Action::Create.failed(&key, ErrorKind::Unknown, "no answer in time"),
            };
            if error.kind == ErrorKind::Broken || tokio::time::Instant::now() + pause >= end {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }

    /// Whether the snapshot that is there says the same as ours.
    async fn compare(&self) -> Result<Taken, SnapshotError> {
        let (position, database) = (self.state.position, self.log.database());
        let found = self.log.snapshot(position).await.map_err(|error| match error {
            ReadError::Store(source) => SnapshotError::Store { database, position, source },
            ReadError::Damaged(damaged) => SnapshotError::Damaged(damaged),
        })?;
        match found {
            Some(found) if found.state == self.state => Ok(self.taken(found.size())),
            Some(found) => {
                let damage = Damage::Chain { named: found.state.hash, found: self.state.hash };
                Err(damage.of(Object::Snapshot, database, position).into())
            }
            // Collected as soon as a newer one was there, which is as good.
            None => Ok(self.taken(self.size())),
        }
    }
}
