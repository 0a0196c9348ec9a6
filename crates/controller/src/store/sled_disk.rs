//! The real disk: sled for the log and the vote, a file for the snapshot, and small files that notice losses.
//!
//! ```text
//! DATA_DIR/identity   whose data this is             identity.rs
//! DATA_DIR/marker     how much was acknowledged      marker.rs
//! DATA_DIR/log/       sled: trees log, vote, committed, purged
//! DATA_DIR/snapshot   the newest snapshot            machine/image.rs
//! ```
//! sled 0.34 ends its flush in `sync_file_range`, which a power cut undoes. So its data file is opened once more, and
//! `fdatasync` on that handle (an inode's sync serves all handles) follows each flush before anything is acknowledged.

mod batch;
mod load;
mod open;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use model::{ControllerId, FleetId};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use super::{
    Disk, Encode, Loaded, StoreError, Write,
    identity::Identity,
    image_file,
    marker::{Mark, Marker},
};
use crate::{
    blocking::{Gone, Worker},
    limits::{LOCK_PAUSE, LOCK_WAIT},
};

/// A data directory, open.
pub struct SledDisk {
    log: Worker<Option<Open>>,
    /// Snapshots have a thread of their own, so that writing a long one does not hold up the log.
    images: Worker<PathBuf>,
    identity: Mutex<Identity>,
    dir: PathBuf,
}

/// sled's own data file, open once more. A seam: a test can remember what was synced, and forget the rest.
pub trait DataFile: Send {
    /// Makes what was written to the file so far survive a power cut.
    ///
    /// # Errors
    /// Whatever the system says.
    fn sync(&self) -> io::Result<()>;
}

/// Makes it of the open file.
pub type Wrap = Arc<dyn Fn(File) -> Box<dyn DataFile> + Send + Sync>;

impl DataFile for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// What the log thread owns.
struct Open {
    dir: PathBuf,
    db: sled::Db,
    log: sled::Tree,
    vote: sled::Tree,
    committed: sled::Tree,
    purged: sled::Tree,
    /// sled's own data file, for `fdatasync`; `None` when power loss may lose what was acknowledged.
    sync: Option<Box<dyn DataFile>>,
    marker: Marker,
    /// What is durable by now.
    mark: Mark,
    /// Up to here purged entries may still take up room.
    leftover: Option<u64>,
}

impl SledDisk {
    /// Opens the directory; makes it when there is nothing in it.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with it and what to do.
    pub async fn open(
        dir: PathBuf,
        controller: ControllerId,
        power_loss_safe: bool,
    ) -> Result<Self, StoreError> {
        let real: Wrap = Arc::new(|file| Box::new(file));
        Self::open_with(dir, controller, power_loss_safe.then_some(real)).await
    }

    /// The same, with a data file of the caller's making; without one, power loss may lose what was acknowledged.
    pub(super) async fn open_with(
        dir: PathBuf,
        controller: ControllerId,
        wrap: Option<Wrap>,
    ) -> Result<Self, StoreError> {
        let opener =
            Worker::spawn("controller-open", ()).map_err(StoreError::io("start a thread for", &dir))?;
        let give_up = Instant::now() + LOCK_WAIT;
        let (identity, open) = loop {
            let (path, wrap) = (dir.clone(), wrap.clone());
            let opened = opener.call(move |()| open::open(&path, controller, wrap)).await;
            match opened.map_err(|gone| crashed(&dir, gone))? {
                Err(StoreError::Locked { .. }) if Instant::now() < give_up => sleep(LOCK_PAUSE).await,
                opened => break opened?,
            }
        };
        let thread = |name: &'static str| StoreError::io(name, dir.clone());
        Ok(Self {
            log: Worker::spawn("controller-disk", Some(open)).map_err(thread("start a thread for"))?,
            images: Worker::spawn_behind("controller-snapshot", dir.clone())
                .map_err(thread("start a thread for"))?,
            identity: Mutex::new(identity),
            dir,
        })
    }

    /// Closes the directory, so that it can be opened again. Whatever is written later fails.
    pub async fn close(&self) {
        if let Err(gone) = self.log.call(|open| open.take().map_or((), Open::close)).await {
            tracing::error!(%gone, "the log was not closed");
        }
        // What was being written when its caller was ended is finished now, and not after somebody else opened it.
        if let Err(gone) = self.images.call(|_| ()).await {
            tracing::error!(%gone, "a snapshot or the identity was not finished");
        }
    }

    /// Changes what the directory says of itself, durably.
    async fn identify(
        &self,
        identity: &mut Identity,
        change: impl FnOnce(&mut Identity),
    ) -> Result<(), StoreError> {
        let mut changed = identity.clone();
        change(&mut changed);
        let written = changed.clone();
        let gone = |gone: Gone| StoreError::io("write to", &self.dir)(gone.into());
        self.images.call(move |dir| written.write(dir)).await.map_err(gone)??;
        *identity = changed;
        Ok(())
    }

    async fn with<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Open) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.log.call(|open| job(open.as_mut().ok_or_else(closed)?)).await?
    }
}

impl Open {
    /// Lets go of the files. sled panics when the disk fails it while it is dropped, so what cannot be flushed stays open
    /// until the process ends: whatever was acknowledged was synced before.
    fn close(self) {
        if let Err(error) = self.db.flush() {
            tracing::warn!(%error, path = %self.dir.display(), "the log cannot be closed in order");
            std::mem::forget(self);
        }
    }
}

fn closed() -> io::Error {
    io::Error::other("the data directory has been closed")
}

/// sled gives up on some kinds of damage by panicking.
fn crashed(dir: &Path, gone: Gone) -> StoreError {
    StoreError::Damaged { what: "the log".into(), path: dir.into(), reason: gone.to_string() }
}

#[async_trait]
impl Disk for SledDisk {
    async fn load(&self) -> Result<Loaded, StoreError> {
        let loaded = self.log.call(|open| match open {
            Some(open) => load::load(open),
            None => Ok(Err(closed())),
        });
        loaded
            .await
            .map_err(|gone| crashed(&self.dir, gone))??
            .map_err(StoreError::io("read", self.dir.clone()))
    }

    async fn write(&self, batch: Vec<Write>) -> io::Result<()> {
        self.with(|open| batch::write(open, batch)).await
    }

    async fn put_image(&self, encode: Encode) -> io::Result<()> {
        self.images.call(|dir| image_file::write(dir, encode)).await?
    }

    async fn image(&self) -> io::Result<Option<Vec<u8>>> {
        self.images.call(|dir| image_file::read(dir)).await?
    }

    async fn belong_to(&self, fleet: FleetId) -> Result<(), StoreError> {
        let mut identity = self.identity.lock().await;
        match identity.fleet {
            Some(found) if found == fleet => Ok(()),
            Some(found) => Err(StoreError::AnotherFleet { path: self.dir.clone(), found, expected: fleet }),
            None => self.identify(&mut identity, |identity| identity.fleet = Some(fleet)).await,
        }
    }

    async fn is_joining(&self) -> bool {
        self.identity.lock().await.joining
    }

    async fn admit(&self) -> Result<(), StoreError> {
        let mut identity = self.identity.lock().await;
        match identity.joining {
            true => self.identify(&mut identity, |identity| identity.joining = false).await,
            false => Ok(()),
        }
    }

    fn path(&self) -> &Path {
        &self.dir
    }
}
