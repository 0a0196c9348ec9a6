//! Copy-on-write copies of databases.
//!
//! The copy's log begins with a base record that names the parent's position; a pin in the parent's folder, put before
//! that record, keeps the position loadable until the copy has a snapshot of its own.
//! A pin cannot protect what a garbage collection that began before it is about to delete. That can only be what lies
//! before the parent's newest snapshot, so a copy of something older gets the parent's data as its own first snapshot,
//! put after the record.
//!
//! Whoever puts the record decides: any other try, at the same time or after a crash, finishes what that record says.
//! The pin has the nonce of the record that stands on it for its name, so it tells which of the two ways it is, and no
//! try takes another's pin away.

use std::path::Path;

use model::{DatabaseId, Epoch, TimestampMs};

use crate::{
    DropError, ImageError, Nonce, OfflineError, Position, Record, RecordHash, Recovery, SnapshotDraft,
    SnapshotError, State, Store, To,
    damage::{Damage, Damaged},
    limits::{BACKOFF_MIN, FORK_DEPTH_MAX, OPEN_ATTEMPTS},
    log::{Log, ReadError},
    names::Name,
    objects::ObjectError,
    open::header,
    own::{Owned, put_own},
    pin::Pin,
    policy::Debt,
    record::{Base, Body, Encoded, Header, Kind},
};

/// What a fork made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The parent's position that the copy begins as.
    pub position: Position,
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
    /// The copy's own journal is damaged.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The copy's id has a journal already, and that is no copy of this parent.
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

impl ForkError {
    /// Whether forking again cannot work either.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Parent(OfflineError::Store { .. }) | Self::Store { .. } => false,
            Self::Parent(_) | Self::Damaged(_) | Self::Exists { .. } => true,
            Self::Image(error) => matches!(error, ImageError::Damaged(_)),
            Self::Snapshot(error) => matches!(error, SnapshotError::Damaged(_)),
        }
    }
}

/// How the names of all pins of a copy begin.
fn pin_prefix(child: DatabaseId) -> String {
    format!("{child}-")
}

/// The pin that a copy with this first record holds in its parent's folder.
fn pin_name(child: DatabaseId, nonce: Nonce) -> Name {
    Name::Pin(format!("{}{:016x}-{:016x}", pin_prefix(child), nonce.process.0, nonce.opening))
}

/// Where the log of a copy begins.
const FIRST: Position = Position::START.next();

impl Store {
    /// Makes `child`, which must never have been opened, a copy of `parent` as it is or was. Nobody is fenced: the
    /// parent's owner goes on. The copy remembers no outcomes of the parent's requests.
    ///
    /// Forking again, at the same time or after a crash at any step, finishes the same copy. A parent without a journal
    /// has nothing to copy: its copy has none, either.
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
        let into = self.log(child);
        if let Some(first) = into.first().await? {
            return into.finish(parent, first, scratch).await;
        }
        let found = match self.found(parent, to).await {
            Err(OfflineError::NoJournal { .. }) if to == To::Newest => {
                return Ok(Fork { position: Position::START, copied: false });
            }
            found => found?,
        };
        let state = found.state();
        let base = Base { database: parent, position: state.position, hash: state.hash };
        let failed = |source| ForkError::Store { child, source };
        let pin = self.next_nonce();
        let shared =
            found.depth() < FORK_DEPTH_MAX && self.pin(base, child, pin, now).await.map_err(failed)?;
        // No pin ever had the name of a record that copies, not even one that lands late.
        let nonce = if shared { pin } else { self.next_nonce() };
        let record = base_record(&into, base, state, nonce, now);
        match put_own(self.objects(), &into.key(&Name::Record(FIRST)), &record, self.patience()).await {
            Ok(Owned::Mine) if shared => Ok(Fork { position: base.position, copied: false }),
            Ok(Owned::Mine) => into.copy(&found, &record.header, record.hash, scratch).await,
            Ok(Owned::Lost(_)) => {
                self.log(parent).delete(vec![pin_name(child, pin)]).await.map_err(failed)?;
                let first = into.first().await?.ok_or(ForkError::Exists { child })?;
                into.finish(parent, first, scratch).await
            }
            Err(unsettled) => Err(failed(unsettled.source)),
        }
    }

    /// Takes away what a copy that is dropped before it was ever opened may have left in its parent's folder.
    ///
    /// # Errors
    /// When the store fails, or what else the parent holds cannot be read.
    pub async fn unfork(
        &self,
        parent: DatabaseId,
        child: DatabaseId,
        now: TimestampMs,
    ) -> Result<(), DropError> {
        self.log(parent).unpin(child, now).await.map_err(|error| match error {
            ReadError::Store(source) => DropError::Store { database: parent, source },
            ReadError::Damaged(damaged) => damaged.into(),
        })
    }

    /// The parent as it is or was. Its garbage may be collected while it is read.
    async fn found(&self, parent: DatabaseId, to: To) -> Result<Recovery, OfflineError> {
        let mut attempt = 1;
        loop {
            match self.restore(parent, to).await {
                Err(OfflineError::Damaged(Damaged { damage: Damage::Missing, .. }))
                    if attempt < OPEN_ATTEMPTS =>
                {
                    tokio::time::sleep(BACKOFF_MIN * attempt).await;
                    attempt += 1;
                }
                found => return found,
            }
        }
    }

    /// Pins the parent's position, if a pin can still protect it; says whether.
    async fn pin(
        &self,
        base: Base,
        child: DatabaseId,
        nonce: Nonce,
        at: TimestampMs,
    ) -> Result<bool, ObjectError> {
        let parent = self.log(base.database);
        let name = pin_name(child, nonce);
        let pin = parent.encode_bare(Kind::Pin, Pin { position: base.position, hash: base.hash, at });
        let key = parent.key(&name);
        // Made, or taken by an earlier attempt of the same put.
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
    /// The first record of a log that begins with it.
    async fn first(&self) -> Result<Option<Record>, ForkError> {
        let child = self.database();
        let listing = self.list().await.map_err(|source| ForkError::Store { child, source })?;
        if listing.tombstone.is_some() {
            return Err(ForkError::Exists { child });
        }
        match self.record(FIRST).await {
            Ok(None) if !listing.records.is_empty() => Err(ForkError::Exists { child }),
            Ok(first) => Ok(first),
            Err(ReadError::Store(source)) => Err(ForkError::Store { child, source }),
            Err(ReadError::Damaged(damaged)) => Err(damaged.into()),
        }
    }

    /// Does what is left to do for a copy that begins with this record.
    async fn finish(&self, parent: DatabaseId, first: Record, scratch: &Path) -> Result<Fork, ForkError> {
        let child = self.database();
        let base = first.base.filter(|base| base.database == parent).ok_or(ForkError::Exists { child })?;
        let failed = |source| ForkError::Store { child, source };
        let Name::Pin(pin) = pin_name(child, first.header.nonce) else { unreachable!("BUG: it is a pin") };
        if self.store().log(parent).list().await.map_err(failed)?.pins.contains(&pin) {
            return Ok(Fork { position: base.position, copied: false });
        }
        let own = self.list().await.map_err(failed)?;
        if own.snapshots.is_empty() {
            let found = self.store().found(parent, To::Position(base.position)).await?;
            return self.copy(&found, &first.header, first.hash, scratch).await;
        }
        Ok(Fork { position: base.position, copied: true })
    }

    /// Puts what was found as the copy's first snapshot, which includes its base record.
    async fn copy(
        &self,
        found: &Recovery,
        first: &Header,
        hash: RecordHash,
        scratch: &Path,
    ) -> Result<Fork, ForkError> {
        found.write_image(scratch).await?;
        let mut state = State::default();
        state.advance(first, hash);
        SnapshotDraft { log: self.clone(), state, debt: Debt::default() }.take(scratch).await?;
        Ok(Fork { position: found.state().position, copied: true })
    }

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
        self.store().log(base.database).unpin(self.database(), now).await
    }

    /// Lets go of what a copy of this database pinned.
    async fn unpin(&self, child: DatabaseId, now: TimestampMs) -> Result<(), ReadError> {
        let (listing, prefix) = (self.list().await?, pin_prefix(child));
        let theirs = listing.pins.into_iter().filter(|name| name.starts_with(&prefix));
        self.delete(theirs.map(Name::Pin).collect()).await?;
        // A dropped parent was only kept for its copies.
        if listing.tombstone.is_some() { Box::pin(self.bury(now)).await } else { Ok(()) }
    }
}

/// The first record of a copy.
fn base_record(into: &Log, base: Base, state: &State, nonce: Nonce, at: TimestampMs) -> Encoded {
    let image = State { page_size: state.page_size, image_pages: state.image_pages, ..State::default() };
    let mut header = header(into, Kind::Base, Epoch(0), nonce, &image);
    header.at = at;
    Encoded::new(header, &Body { base: Some(base), ..Body::default() })
}
