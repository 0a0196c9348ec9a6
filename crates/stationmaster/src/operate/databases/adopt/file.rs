//! An SQLite file: copied, reserved an id for, written into a journal, read back, and given its name.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use journal::{Group, OpenError, Recovery, To, Writer};
use model::{DatabaseId, Epoch, IdempotencyKey, Name, RequestId};
use server::engine::sqlite::foreign::{self, Taken};
use xxhash_rust::xxh3::Xxh3;

use super::{Adopting, Did};
use crate::{
    offline::{Scratch, Unwritten, written},
    operate::explain,
    role,
};

/// How often an id is reserved anew because the one before was dropped since, and a journal is opened anew.
const ATTEMPTS: u64 = 100;

/// A copy of the file that is to be adopted.
struct Image<'a> {
    path: &'a Path,
    taken: Taken,
    /// Of every byte.
    hash: u128,
}

/// Whose journal it is, or will be.
enum Reserved {
    /// It is a database already: an earlier run came to its end.
    Done,
    /// It may be written, from here on.
    Free(Box<(Writer, Recovery)>, Epoch),
}

impl Adopting<'_> {
    /// Makes a database of a file.
    pub(super) async fn file(&self, file: &Path, name: &Name) -> anyhow::Result<Did> {
        let scratch = Scratch::new()?;
        let path = scratch.path().join("image");
        let (source, target) = (file.to_path_buf(), path.clone());
        let (taken, hash) = tokio::task::spawn_blocking(move || {
            let taken = foreign::take(&source, &target)?;
            anyhow::Ok((taken, hash(&target)?))
        })
        .await??;
        let image = Image { path: &path, taken, hash };
        let bytes = Some(u64::from(taken.page_bytes) * u64::from(taken.pages));
        if self.dry_run {
            self.free(name)?;
            return Ok(Did { id: None, bytes, what: "would be adopted" });
        }
        let (id, epoch) = match self.place(name, &image).await? {
            (id, Reserved::Done) => return Ok(Did { id: Some(id), bytes, what: "was there already" }),
            (id, Reserved::Free(opened, epoch)) => {
                let (writer, _) = *opened;
                fill(writer, &image).await?;
                (id, epoch)
            }
        };
        self.compare(id, &image, &scratch.path().join("back")).await?;
        self.publish(id, name, epoch).await?;
        Ok(Did { id: Some(id), bytes, what: "adopted" })
    }

    /// The id for this file under this name: the same one whenever the same is asked for, unless it was dropped since.
    async fn place(&self, name: &Name, image: &Image<'_>) -> anyhow::Result<(DatabaseId, Reserved)> {
        for attempt in 0..ATTEMPTS {
            let id = self.reserve(key(self.store.fleet().0, name, image.hash, attempt)).await?;
            if self.fleet.database(id).is_some_and(|known| known.name == *name) {
                return Ok((id, Reserved::Done));
            }
            self.free(name)?;
            if self.fleet.dropped().any(|(dropped, _)| dropped == id) {
                continue;
            }
            if let Some((opened, epoch)) = self.open(id).await? {
                return Ok((id, Reserved::Free(Box::new(opened), epoch)));
            }
        }
        bail!("this very file was adopted and dropped {ATTEMPTS} times; adopt it under another name")
    }

    async fn reserve(&self, key: IdempotencyKey) -> anyhow::Result<DatabaseId> {
        let request = RequestId(rand::random());
        let asked = self.cluster.controllers.leader(move |client, context| {
            Box::pin(async move { client.reserve_database(context, request, key).await })
        });
        asked.await.map_err(explain)
    }

    /// Opens the journal past whoever tried before; nothing when it is a dropped database's.
    async fn open(&self, id: DatabaseId) -> anyhow::Result<Option<((Writer, Recovery), Epoch)>> {
        let mut epoch = Epoch(1);
        for _ in 0..ATTEMPTS {
            match self.store.open(id, epoch, role::now()).await {
                Ok(opened) => return Ok(Some((opened, epoch))),
                Err(OpenError::Superseded { found, .. }) => epoch = found.next(),
                Err(OpenError::Dropped { .. }) => return Ok(None),
                Err(error) => return Err(error).context("its journal cannot be opened"),
            }
        }
        bail!("somebody else is adopting the same file at this moment")
    }

    /// Reads everything back.
    async fn compare(&self, id: DatabaseId, image: &Image<'_>, back: &Path) -> anyhow::Result<()> {
        match written(&self.store, id, To::Newest, back).await {
            Ok(Some(_)) => {}
            Ok(None) => bail!("its journal is empty after it was written"),
            Err(Unwritten::Damaged(damaged)) => bail!(damaged),
            Err(Unwritten::Failed(error)) => return Err(error),
        }
        let back = back.to_path_buf();
        let found = tokio::task::spawn_blocking(move || hash(&back)).await??;
        ensure!(found == image.hash, "its journal does not give back what was written; nothing was adopted");
        Ok(())
    }
}

/// Writes an image into a journal: a record that says how large it is, and a snapshot of all of it.
async fn fill(mut writer: Writer, image: &Image<'_>) -> anyhow::Result<()> {
    let Taken { page_bytes, pages } = image.taken;
    let mut first = vec![0; page_bytes as usize];
    File::open(image.path)
        .and_then(|mut file| file.read_exact(&mut first))
        .context("cannot read the copy")?;
    let group = Group {
        page_size: page_bytes,
        image_pages: pages,
        pages: vec![(1, Bytes::from(first))],
        transactions: 1,
        outcomes: Vec::new(),
        at: role::now(),
    };
    writer.append(group).await?;
    writer.snapshot(image.path).await?;
    writer.seal(role::now()).await?;
    Ok(())
}

/// The same for the same file under the same name.
fn key(fleet: u128, name: &Name, content: u128, attempt: u64) -> IdempotencyKey {
    let mut hasher = Xxh3::new();
    hasher.update(b"databases adopt\0");
    hasher.update(&fleet.to_le_bytes());
    hasher.update(&content.to_le_bytes());
    hasher.update(&attempt.to_le_bytes());
    hasher.update(name.as_bytes());
    IdempotencyKey(hasher.digest128())
}

fn hash(path: &Path) -> io::Result<u128> {
    struct Hashing(Xxh3);
    impl Write for Hashing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hashing = Hashing(Xxh3::new());
    io::copy(&mut File::open(path)?, &mut hashing)?;
    Ok(hashing.0.digest128())
}
