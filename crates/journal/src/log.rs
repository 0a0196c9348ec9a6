//! Reading one database's journal.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use model::DatabaseId;
use tokio::time::{Instant, timeout};

use crate::{
    Position, Store,
    damage::{Damage, Damaged, Object},
    limits::{BACKOFF_MAX, BACKOFF_MIN, INLINE_MAX, READS_AT_ONCE},
    names::{Listing, Name},
    objects::{Action, ErrorKind, Key, ObjectError},
    record::{HEADER_LEN, Place, Record},
    snapshot::{Head, Snapshot},
};

/// How much of a snapshot is read at once to find its head; a smaller one is read whole.
const HEAD_READ: u64 = 256 << 10;

/// The journal of one database. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    store: Store,
    database: DatabaseId,
    folder: Key,
}

/// A journal's object could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Store(#[from] ObjectError),
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

impl Log {
    pub(crate) fn new(store: Store, database: DatabaseId) -> Self {
        let folder = store.folder(database);
        Self { store, database, folder }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn database(&self) -> DatabaseId {
        self.database
    }

    pub(crate) fn place(&self) -> Place {
        Place { fleet: self.store.fleet(), database: self.database }
    }

    pub(crate) fn key(&self, name: &Name) -> Key {
        self.folder.join(&name.text())
    }

    pub(crate) async fn list(&self) -> Result<Listing, ObjectError> {
        let listed = self.patiently(|| self.store.objects().list(&self.folder)).await?;
        Ok(Listing::new(&listed))
    }

    /// The record at a position, checked by itself; nothing if it is not there.
    pub(crate) async fn record(&self, position: Position) -> Result<Option<Record>, ReadError> {
        let key = self.key(&Name::Record(position));
        let Some(bytes) = self.patiently(|| self.store.objects().read(&key, None)).await? else {
            return Ok(None);
        };
        let (place, large) = (self.place(), bytes.len() > INLINE_MAX);
        let decode = move || Record::decode(&bytes, place, position);
        let decoded = if large { self.store.threads().run(decode).await } else { decode() };
        decoded.map(Some).map_err(|damage| damage.of(Object::Record, self.database, position).into())
    }

    /// Records from after `from` through `to`, in order. One that is not there is an error.
    pub(crate) async fn records(&self, from: Position, to: Position) -> Result<Vec<Record>, ReadError> {
        let positions = (from.get() + 1..=to.get()).filter_map(Position::new);
        stream::iter(positions)
            .map(|at| async move {
                let missing = || Damage::Missing.of(Object::Record, self.database, at);
                self.record(at).await?.ok_or_else(|| missing().into())
            })
            .buffered(READS_AT_ONCE)
            .try_collect()
            .await
    }

    /// The description of a snapshot, checked; nothing if it is not there.
    pub(crate) async fn snapshot(&self, position: Position) -> Result<Option<Snapshot>, ReadError> {
        match self.list().await?.snapshots.into_iter().find(|(at, _)| *at == position) {
            Some((_, size)) => self.snapshot_of(position, size).await,
            None => Ok(None),
        }
    }

    /// The same, of a snapshot that a listing showed with this length.
    pub(crate) async fn snapshot_of(
        &self,
        position: Position,
        size: u64,
    ) -> Result<Option<Snapshot>, ReadError> {
        let damaged = |damage: Damage| damage.of(Object::Snapshot, self.database, position);
        let key = self.key(&Name::Snapshot(position));
        let read = |until: u64| {
            let key = &key;
            self.patiently(move || self.store.objects().read(key, Some(0..until)))
        };
        let Some(mut prefix) = read(HEAD_READ).await? else {
            return Ok(None);
        };
        if prefix.len() >= HEADER_LEN {
            let len = Head::len(&prefix, self.place(), position).map_err(damaged)?;
            if len > prefix.len() as u64 && len <= size {
                let Some(longer) = read(len).await? else { return Ok(None) };
                prefix = longer;
            }
        }
        Head::decode(&prefix, self.place(), position, size).map(Some).map_err(|d| damaged(d).into())
    }

    /// The bytes of a snapshot's chunk, not checked yet; nothing if the snapshot was collected.
    pub(crate) async fn chunk(
        &self,
        snapshot: &Snapshot,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, ObjectError> {
        if let Some(whole) = &snapshot.whole {
            return Ok(Some(whole.slice(range.start as usize..range.end as usize)));
        }
        let key = self.key(&Name::Snapshot(snapshot.state.position));
        self.patiently(|| self.store.objects().read(&key, Some(range.clone()))).await
    }

    /// Repeats a read that failed, as long as the store's patience lasts.
    pub(crate) async fn patiently<T, F: Future<Output = Result<T, ObjectError>>>(
        &self,
        read: impl Fn() -> F,
    ) -> Result<T, ObjectError> {
        let end = Instant::now() + self.store.patience().total;
        let mut pause = BACKOFF_MIN;
        loop {
            let answer = timeout(self.store.patience().attempt, read()).await;
            let late = |_| Err(Action::Read.failed(&self.folder, ErrorKind::Unknown, "no answer in time"));
            match answer.unwrap_or_else(late) {
                Err(error) if error.kind == ErrorKind::Unknown && Instant::now() + pause < end => {
                    tracing::debug!(database = %self.database, %error, "reading again");
                }
                done => return done,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }
}
