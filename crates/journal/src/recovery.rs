//! What an opening has read: enough to make the image, and the outcomes of requests.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use model::DatabaseId;

use crate::{
    Position, State,
    damage::{Damage, Damaged, Object},
    limits::CHUNKS_AT_ONCE,
    log::Log,
    objects::ObjectError,
    record::{Base, Kind, Record},
    snapshot::{Chunk, Snapshot},
};

/// What an opening has read, up to and with its fence; or what a restore has read, up to where it was asked to.
#[derive(Debug)]
pub struct Recovery {
    log: Log,
    state: State,
    /// Of a copy without a snapshot of its own: what its image begins as.
    parent: Option<Box<Recovery>>,
    snapshot: Option<Snapshot>,
    /// Newest content of every page that records after the snapshot carry.
    pages: BTreeMap<u32, Bytes>,
    /// Pages from 1 of which the snapshot's (or parent's) content still counts, unless a record has a newer one.
    /// An image that shrank and grew again has zeros where nobody wrote.
    begun_pages: u32,
}

/// An image could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file could not be written.
    #[error("{database}: could not write the image {path}")]
    File {
        /// The database.
        database: DatabaseId,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store failed. Trying again is right.
    #[error("{database}: the store failed while the image was read")]
    Store {
        /// The database.
        database: DatabaseId,
        /// Why.
        #[source]
        source: ObjectError,
    },
    /// The snapshot is damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// A newer snapshot has replaced the one that this recovery began with. Open again, with the same epoch.
    #[error("{database}: the snapshot of position {position} was collected while it was read")]
    Collected {
        /// The database.
        database: DatabaseId,
        /// The snapshot's position.
        position: Position,
    },
}

/// Where an image goes. Written from several threads at once.
trait Sink: Send + Sync + 'static {
    /// Makes it exactly so long, all zeros.
    fn clear(&self, len: u64) -> io::Result<()>;
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
}

impl Sink for File {
    fn clear(&self, len: u64) -> io::Result<()> {
        self.set_len(0)?;
        self.set_len(len)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }
}

impl Sink for Mutex<Vec<u8>> {
    fn clear(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        *self.lock().expect("BUG: a holder panicked") = vec![0; len];
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let from = offset as usize;
        self.lock().expect("BUG: a holder panicked")[from..from + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

impl Recovery {
    pub(crate) fn new(log: Log, snapshot: Option<Snapshot>) -> Self {
        let state = snapshot.as_ref().map(|s| s.state.clone()).unwrap_or_default();
        Self { log, begun_pages: state.image_pages, state, parent: None, snapshot, pages: BTreeMap::new() }
    }

    /// Takes in the next record.
    pub(crate) fn apply(&mut self, record: Record) -> Result<(), Damage> {
        self.state.apply(&record)?;
        if record.header.kind == Kind::Base {
            self.begun_pages = record.header.image_pages;
        }
        self.begun_pages = self.begun_pages.min(record.header.image_pages);
        if self.pages.last_key_value().is_some_and(|(last, _)| *last > record.header.image_pages) {
            self.pages.split_off(&(record.header.image_pages + 1));
        }
        self.pages.extend(record.pages);
        Ok(())
    }

    /// Makes the image begin as another's, whose copy this log is. `base` is what the log says of it.
    pub(crate) fn begin_as(&mut self, parent: Self, base: Base) -> Result<(), Damage> {
        let found = parent.state.hash;
        if found != base.hash {
            return Err(Damage::Chain { named: base.hash, found });
        }
        self.parent = Some(Box::new(parent));
        Ok(())
    }

    /// Copies of copies that the image is made of.
    pub(crate) fn depth(&self) -> u32 {
        self.parent.as_ref().map_or(0, |parent| parent.depth() + 1)
    }

    /// What the log says up to the fence: position, transactions, size of the image, outcomes.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether no transaction was ever committed: the image is to be made by the engine, not by the journal.
    pub fn is_empty(&self) -> bool {
        self.state.page_size == 0
    }

    /// Bytes of the image.
    pub fn image_len(&self) -> u64 {
        u64::from(self.state.page_size) * u64::from(self.state.image_pages)
    }

    /// Writes the image to a file, made or overwritten; nothing is synced, as a local image is never trusted again.
    ///
    /// # Errors
    /// See [`ImageError`]. The file is then worth nothing.
    pub async fn write_image(&self, path: &Path) -> Result<(), ImageError> {
        let (database, to) = (self.log.database(), path.to_path_buf());
        let failed = |source| ImageError::File { database, path: path.into(), source };
        let file = self.log.store().threads().run(move || File::create(to)).await.map_err(failed)?;
        self.image_into(Arc::new(file)).await.map_err(|error| match error {
            Unmade::Sink(source) => failed(source),
            Unmade::Image(error) => error,
        })
    }

    /// The image in memory. For tests, simulations and small databases.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub async fn image(&self) -> Result<Vec<u8>, ImageError> {
        let image = Arc::new(Mutex::new(Vec::new()));
        match self.image_into(Arc::clone(&image)).await {
            Ok(()) => Ok(std::mem::take(&mut image.lock().expect("BUG: a holder panicked"))),
            Err(Unmade::Image(error)) => Err(error),
            Err(Unmade::Sink(source)) => {
                let (database, path) = (self.log.database(), "in memory".into());
                Err(ImageError::File { database, path, source })
            }
        }
    }

    async fn image_into(&self, sink: Arc<impl Sink>) -> Result<(), Unmade> {
        let (threads, len) = (self.log.store().threads(), self.image_len());
        let cleared = Arc::clone(&sink);
        threads.run(move || cleared.clear(len)).await?;
        self.pages_into(&sink, self.state.image_pages).await
    }

    /// Writes what there is of the pages from 1 to `last`, oldest first. The rest is zeros already.
    async fn pages_into(&self, sink: &Arc<impl Sink>, last: u32) -> Result<(), Unmade> {
        let page_size = u64::from(self.state.page_size);
        let begun = self.begun_pages.min(last);
        if let Some(parent) = &self.parent {
            Box::pin(parent.pages_into(sink, begun)).await?;
        }
        if let Some(snapshot) = &self.snapshot {
            self.copy_snapshot(snapshot, u64::from(begun) * page_size, sink).await?;
        }
        let pages: Vec<_> = self.pages.range(..=last).map(|(number, page)| (*number, page.clone())).collect();
        let sink = Arc::clone(sink);
        let write =
            move |(number, page): &(u32, Bytes)| sink.write_at(u64::from(number - 1) * page_size, page);
        self.log.store().threads().run(move || pages.iter().try_for_each(write)).await?;
        Ok(())
    }

    /// Copies the first bytes of a snapshot's image.
    async fn copy_snapshot(
        &self,
        snapshot: &Snapshot,
        bytes: u64,
        sink: &Arc<impl Sink>,
    ) -> Result<(), Unmade> {
        stream::iter(snapshot.places().take_while(|(_, offset, _)| *offset < bytes))
            .map(Ok)
            .try_for_each_concurrent(CHUNKS_AT_ONCE, |(range, offset, chunk)| {
                self.copy_chunk(snapshot, range, chunk, offset..bytes, Arc::clone(sink))
            })
            .await
    }

    /// Copies as much of a chunk as belongs `into` the image.
    async fn copy_chunk(
        &self,
        snapshot: &Snapshot,
        range: Range<u64>,
        chunk: Chunk,
        into: Range<u64>,
        sink: Arc<impl Sink>,
    ) -> Result<(), Unmade> {
        let (database, position, store) = (self.log.database(), snapshot.state.position, self.log.store());
        let found = self.log.chunk(snapshot, range).await;
        let found = found.map_err(|source| ImageError::Store { database, source })?;
        let packed = found.ok_or(ImageError::Collected { database, position })?;
        let work = move || {
            let raw = chunk.unpack(packed).map_err(|d| d.of(Object::Snapshot, database, position))?;
            let part = raw.len().min((into.end - into.start) as usize);
            sink.write_at(into.start, &raw[..part]).map_err(Unmade::Sink)
        };
        store.threads().run(work).await
    }
}

/// Why an image was not made.
enum Unmade {
    Sink(io::Error),
    Image(ImageError),
}

impl From<ImageError> for Unmade {
    fn from(error: ImageError) -> Self {
        Self::Image(error)
    }
}

impl From<Damaged> for Unmade {
    fn from(damaged: Damaged) -> Self {
        Self::Image(damaged.into())
    }
}

impl From<io::Error> for Unmade {
    fn from(error: io::Error) -> Self {
        Self::Sink(error)
    }
}
