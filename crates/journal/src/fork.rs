//! Copy-on-write copies of databases.
//!
//! The copy's log begins with a base record that names the parent's position; a pin in the parent's folder, put before
//! anything is read, keeps that position loadable until the copy has a snapshot of its own.
//! A pin cannot protect what a garbage collection that began before it is about to delete. That can only be what lies
//! before the parent's newest snapshot, so a copy of something older is made by copying it.

use std::path::Path;

use model::{DatabaseId, Epoch, TimestampMs};

use crate::{
    ImageError, Nonce, OfflineError, Position, Recovery, SnapshotDraft, SnapshotError, State, Store, To,
    limits::FORK_DEPTH_MAX,
    log::{Log, ReadError},
    names::Name,
    objects::ObjectError,
    open::header,
    own::{Owned, put_own},
    pin::Pin,
    policy::Debt,
    record::{Base, Body, Encoded, Kind},
};

/// What a fork made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The parent's position that the copy begins as.
    pub position: Position,
    /// The time of that position's record.
    pub at: TimestampMs,
    /// Whether the parent's data were copied; otherwise the copy shares them until it has a snapshot of its own.
    pub copied: bool,
}

/// A database was not forked. The parent is as it was; forking again is right.
#[derive(Debug, thiserror::Error)]
pub enum ForkError {
    /// The parent could not be read.
    #[error(transparent)]
    Parent(#[from] OfflineError),
    /// The parent's image could not be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The copy's snapshot could not be stored.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The copy's id has a journal already.
    #[error("{child} has a journal already")]
    Exists {
        /// The copy.
        child: DatabaseId,
    },
    /// The store failed.
    #[error("{child}: the store failed while it was made a copy")]
    Store {
        /// The copy.
        child: DatabaseId,
        /// Why.
        #[source]
        source: ObjectError,
    },
}

/// The name of the pin that a copy holds in its parent's folder.
fn pin_name(child: DatabaseId, base: Position) -> String {
    format!("{}{:016x}", pin_prefix(child), base.get())
}

/// How the names of all pins of a copy begin.
fn pin_prefix(child: DatabaseId) -> String {
    format!("{child}-")
}

impl Store {
    /// Makes `child`, which must never have been opened, a copy of `parent` as it is or was. Nobody is fenced: the
    /// parent's owner goes on. The copy remembers no outcomes of the parent's requests.
    ///
    /// Something older than the parent's newest snapshot is copied through the file `scratch`, which is made,
    /// overwritten and left to the caller to delete.
    ///
    /// # Errors
    /// See [`ForkError`].
    pub async fn fork(
        &self,
        parent: DatabaseId,
        to: To,
        child: DatabaseId,
        now: TimestampMs,
        scratch: &Path,
    ) -> Result<Fork, ForkError> {
        let failed = |source| ForkError::Store { child, source };
        let into = self.log(child);
        let there = into.list().await.map_err(failed)?;
        if !there.records.is_empty() || there.tombstone.is_some() {
            return Err(ForkError::Exists { child });
        }
        // Left by a fork that did not finish.
        into.delete(there.snapshots.iter().map(|(at, _)| Name::Snapshot(*at)).collect())
            .await
            .map_err(failed)?;
        let found = self.restore(parent, to).await?;
        let state = found.state();
        let base = Base { database: parent, position: state.position, hash: state.hash };
        let shared = found.depth() < FORK_DEPTH_MAX && self.pin(base, child, now).await.map_err(failed)?;
        let record = base_record(&into, base, state, self.next_nonce(), now);
        if !shared {
            copy(&into, &found, &record, scratch).await?;
        }
        let key = into.key(&Name::Record(Position::START.next()));
        match put_own(self.objects(), &key, &record, self.patience()).await {
            Ok(Owned::Mine) => Ok(Fork { position: state.position, at: state.at, copied: !shared }),
            Ok(Owned::Lost(_)) => Err(ForkError::Exists { child }),
            Err(unsettled) => Err(failed(unsettled.source)),
        }
    }

    /// Pins the parent's position, if a pin can still protect it; says whether.
    async fn pin(&self, base: Base, child: DatabaseId, at: TimestampMs) -> Result<bool, ObjectError> {
        let parent = self.log(base.database);
        let name = Name::Pin(pin_name(child, base.position));
        let pin = parent.encode_bare(Kind::Pin, Pin { position: base.position, hash: base.hash, at });
        let key = parent.key(&name);
        // Made, or taken by an earlier try for the same position.
        parent.patiently(|| self.objects().create(&key, &pin.parts)).await?;
        let listing = parent.list().await?;
        let newest = listing.snapshots.last().map_or(Position::START, |(at, _)| *at);
        let there = listing.tombstone.is_none() && listing.extent_to(base.position).is_some();
        if there && base.position >= newest {
            return Ok(true);
        }
        parent.delete(vec![name]).await?;
        Ok(false)
    }
}

impl Log {
    /// Of a copy whose own data are complete, or which is dropped: lets the parent's go.
    pub(crate) async fn forget_parent(&self, now: TimestampMs) -> Result<(), ReadError> {
        let base = match self.record(Position::START.next()).await {
            Ok(first) => first.and_then(|record| record.base),
            Err(ReadError::Damaged(damaged)) => {
                tracing::warn!(error = %damaged, "if this was a copy, its pin stays behind");
                None
            }
            Err(error @ ReadError::Store(_)) => return Err(error),
        };
        let Some(base) = base else { return Ok(()) };
        let parent = self.store().log(base.database);
        let (listing, prefix) = (parent.list().await?, pin_prefix(self.database()));
        let ours = listing.pins.into_iter().filter(|name| name.starts_with(&prefix));
        parent.delete(ours.map(Name::Pin).collect()).await?;
        // A dropped parent was only kept for its copies.
        if listing.tombstone.is_some() { Box::pin(parent.bury(now)).await } else { Ok(()) }
    }
}

/// The first record of a copy.
fn base_record(into: &Log, base: Base, state: &State, nonce: Nonce, at: TimestampMs) -> Encoded {
    let image = State { page_size: state.page_size, image_pages: state.image_pages, ..State::default() };
    let mut header = header(into, Kind::Base, Epoch(0), nonce, &image);
    header.at = at;
    Encoded::new(header, &Body { base: Some(base), ..Body::default() })
}

/// Puts what was found as the copy's first snapshot, which includes its base record.
async fn copy(into: &Log, found: &Recovery, record: &Encoded, scratch: &Path) -> Result<(), ForkError> {
    found.write_image(scratch).await?;
    let mut state = State::default();
    state.advance(&record.header, record.hash);
    let draft = SnapshotDraft { log: into.clone(), state, debt: Debt::default() };
    draft.take(scratch).await?;
    Ok(())
}
