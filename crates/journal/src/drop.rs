//! Dropping a database: fence it, say so in its log, leave a tombstone for ever, delete the rest.
//!
//! The tombstone stays because a database's id is never used again, and because an opening that began before must
//! find out. Any step may be the last before a crash: dropping again goes on where it was left.

use model::{DatabaseId, Epoch, TimestampMs};

use crate::{
    AppendError, OpenError, Position, RecordHash, Store,
    log::Log,
    names::{Listing, Name},
    objects::{Created, ObjectError},
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
    /// Drops a database: its owner can commit nothing more, nobody can open it, and its data are deleted.
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
        let failed = |source| DropError::Store { database, source };
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
        let listing = log.list().await.map_err(failed)?;
        bury(&log, &listing, at).await.map_err(failed)
    }
}

/// Leaves a tombstone where there is none, and deletes everything else.
async fn bury(log: &Log, listing: &Listing, at: TimestampMs) -> Result<(), ObjectError> {
    if listing.tombstone.is_none() {
        let last_record = listing.records.last().map(|(at, _)| *at);
        let last_snapshot = listing.snapshots.last().map(|(at, _)| *at);
        let position = last_record.max(last_snapshot).unwrap_or(Position::START);
        let tombstone = log.encode_bare(Kind::Tombstone, Pin { position, hash: RecordHash::NONE, at });
        let key = log.key(&Name::Tombstone(position));
        let create = || log.store().objects().create(&key, &tombstone.parts);
        match log.patiently(create).await? {
            Created::Made | Created::Taken => {}
        }
    }
    let records = listing.records.iter().map(|(at, _)| Name::Record(*at));
    let snapshots = listing.snapshots.iter().map(|(at, _)| Name::Snapshot(*at));
    let pins = listing.pins.iter().map(|name| Name::Pin(name.clone()));
    log.delete(records.chain(snapshots).chain(pins).collect()).await
}
