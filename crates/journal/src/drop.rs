//! Dropping a database: fence it, say so in its log, leave a tombstone for ever, delete the rest.
//!
//! The tombstone stays because a database's id is never used again, and because an opening that began before must
//! find out. Any step may be the last before a crash: dropping again goes on where it was left.

use model::{DatabaseId, Epoch, TimestampMs};

use crate::{
    AppendError, OpenError, Position, RecordHash, Store,
    damage::Damaged,
    gc::unpinned,
    log::{Log, ReadError},
    names::{Listing, Name},
    objects::ObjectError,
    pin::Pin,
    record::Kind,
};

/// A database was not dropped, or not wholly. Dropping it again is right.
#[derive(Debug, thiserror::Error)]
pub enum DropError {
    /// Its journal could not be opened.
    #[error(transparent)]
    Open(OpenError),
    /// Its end could not be written.
    #[error(transparent)]
    Append(AppendError),
    /// A pin that decides what must stay cannot be read.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The store failed.
    #[error("{database}: the store failed while it was dropped")]
    Store {
        /// The database.
        database: DatabaseId,
        /// Why.
        #[source]
        source: ObjectError,
    },
}

impl Store {
    /// Drops a database: its owner can commit nothing more, nobody can open it, and its data are deleted, but for what
    /// copies of it still share.
    ///
    /// A damaged journal is dropped without a fence: an owner that is still there goes on committing what nobody will
    /// ever read.
    ///
    /// # Errors
    /// See [`DropError`]. Dropping a dropped database is fine.
    pub async fn drop_database(
        &self,
        database: DatabaseId,
        epoch: Epoch,
        at: TimestampMs,
    ) -> Result<(), DropError> {
        let log = self.log(database);
        match self.open(database, epoch, at).await {
            Ok((mut writer, _)) => {
                writer.append_drop(at).await.map_err(DropError::Append)?;
            }
            Err(OpenError::Dropped { .. }) => {}
            Err(OpenError::Damaged(damaged)) => {
                tracing::warn!(%database, error = %damaged, "a damaged journal is dropped without a fence");
            }
            Err(error @ (OpenError::Superseded { .. } | OpenError::Store { .. })) => {
                return Err(DropError::Open(error));
            }
        }
        log.bury(at).await.map_err(|error| match error {
            ReadError::Store(source) => DropError::Store { database, source },
            ReadError::Damaged(damaged) => damaged.into(),
        })
    }
}

impl Log {
    /// Leaves a tombstone, and deletes everything else that no copy needs.
    pub(crate) async fn bury(&self, at: TimestampMs) -> Result<(), ReadError> {
        let mut listing = self.list().await?;
        if listing.tombstone.is_none() {
            self.put_tombstone(&listing, at).await?;
            // Again: a fork that has put its pin before it could see the tombstone goes on.
            listing = self.list().await?;
        }
        self.forget_parent(at).await?;
        let pinned = self.pinned(&listing).await?;
        Ok(self.delete(unpinned(&listing, &pinned)).await?)
    }

    async fn put_tombstone(&self, listing: &Listing, at: TimestampMs) -> Result<(), ObjectError> {
        let last_record = listing.records.last().map(|(at, _)| *at);
        let last_snapshot = listing.snapshots.last().map(|(at, _)| *at);
        let position = last_record.max(last_snapshot).unwrap_or(Position::START);
        let tombstone = self.encode_bare(Kind::Tombstone, Pin { position, hash: RecordHash::NONE, at });
        let key = self.key(&Name::Tombstone(position));
        // Made or taken, it is there.
        self.patiently(|| self.store().objects().create(&key, &tombstone.parts)).await.map(drop)
    }
}
