//! What may be deleted, and what never.
//!
//! 1. Snapshots older than the newest, unless history or a pin needs them.
//! 2. Records before the newest snapshot's, never that one itself, unless history or a pin needs them.
//! 3. But never a fence that followed no seal: the owner that it fenced off may have a put on its way, which aims
//!    exactly there, and would succeed in the hole (see the model in this crate's tests).
//!
//! A collector that is not the owner any more does no harm: it deletes only what lies before a snapshot up to which it
//! knows all fences.

use std::time::Duration;

use model::{DatabaseId, TimestampMs};

use crate::{
    Position,
    damage::Damaged,
    log::{Log, ReadError},
    names::{Listing, Name},
    objects::ObjectError,
    state::KeptFence,
};

/// What a load or a restore may still ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Loads and restores begin at this snapshot or a later one.
    pub(crate) oldest: Position,
    /// Positions that must stay loadable for themselves.
    pub(crate) pinned: Vec<Position>,
}

/// What may be deleted of a listing, given the fences to keep.
pub(crate) fn garbage(listing: &Listing, needs: &Needs, fences: &[KeptFence]) -> Vec<Name> {
    if !listing.snapshots.iter().any(|(at, _)| *at == needs.oldest) {
        return Vec::new();
    }
    let fenced = |at: Position| fences.iter().any(|fence| fence.position == at);
    let names = unpinned(listing, &needs.pinned).into_iter();
    names
        .filter(|name| match name {
            Name::Record(at) => *at < needs.oldest && !fenced(*at),
            Name::Snapshot(at) => *at < needs.oldest,
            Name::Tombstone(_) | Name::Pin(_) => false,
        })
        .collect()
}

/// The snapshots and records that no pin needs.
pub(crate) fn unpinned(listing: &Listing, pinned: &[Position]) -> Vec<Name> {
    let base = |pin: Position| {
        let before = listing.snapshots.iter().rev().find(|(at, _)| *at <= pin);
        before.map_or(Position::START, |(at, _)| *at)
    };
    let spans: Vec<(Position, Position)> = pinned.iter().map(|pin| (base(*pin), *pin)).collect();
    let snapshots = listing.snapshots.iter().map(|(at, _)| *at);
    let snapshots = snapshots.filter(|at| !spans.iter().any(|(from, _)| from == at));
    let records = listing.records.iter().map(|(at, _)| *at);
    let records = records.filter(|at| !spans.iter().any(|(from, to)| (*from..=*to).contains(at)));
    snapshots.map(Name::Snapshot).chain(records.map(Name::Record)).collect()
}

/// A garbage collection to be run beside the owner's work. From [`crate::Writer::collection`].
#[derive(Debug)]
pub struct Collection {
    pub(crate) log: Log,
    /// Up to here all fences are known.
    pub(crate) known: Position,
    pub(crate) fences: Vec<KeptFence>,
}

/// What a garbage collection did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Records and snapshots deleted.
    pub deleted: u64,
    /// Records and snapshots left.
    pub left: u64,
}

/// A garbage collection could not be finished. What it has deleted was garbage; running it again is right.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The store failed.
    #[error("{database}: the store failed while its journal's garbage was collected")]
    Store {
        /// The database.
        database: DatabaseId,
        /// Why.
        #[source]
        source: ObjectError,
    },
    /// A pin or a snapshot that decides what is garbage cannot be read.
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

impl Collection {
    /// Deletes what nobody needs any more. Every time from `now - history` on stays restorable, and every pin.
    ///
    /// # Errors
    /// See [`CollectError`].
    pub async fn run(&self, history: Duration, now: TimestampMs) -> Result<Collected, CollectError> {
        let listing = self.log.list().await.map_err(|source| self.store_failed(source))?;
        let needs = self.needs(&listing, history, now).await?;
        let names = needs.map(|needs| garbage(&listing, &needs, &self.fences)).unwrap_or_default();
        let all = listing.records.len() + listing.snapshots.len();
        let deleted = names.len() as u64;
        if names.contains(&Name::Record(Position::START.next())) {
            self.log.forget_parent(now).await.map_err(|error| self.unreadable(error))?;
        }
        self.log.delete(names).await.map_err(|source| self.store_failed(source))?;
        Ok(Collected { deleted, left: all as u64 - deleted })
    }

    async fn needs(
        &self,
        listing: &Listing,
        history: Duration,
        now: TimestampMs,
    ) -> Result<Option<Needs>, CollectError> {
        let known = listing.snapshots.partition_point(|(at, _)| *at <= self.known);
        let snapshots = &listing.snapshots[..known];
        let since = TimestampMs(now.0.saturating_sub(history.as_millis() as u64));
        let oldest = if history.is_zero() {
            snapshots.last().map(|(at, _)| *at)
        } else {
            self.oldest_needed(listing, snapshots, since).await?
        };
        let Some(oldest) = oldest else { return Ok(None) };
        let pinned = self.log.pinned(listing).await.map_err(|error| self.unreadable(error))?;
        Ok(Some(Needs { oldest, pinned }))
    }

    /// The newest of these snapshots that is not younger than `since`. If all are younger, nothing of a log that is
    /// there from its first record on can go; of another, the oldest snapshot is where it begins.
    async fn oldest_needed(
        &self,
        listing: &Listing,
        snapshots: &[(Position, u64)],
        since: TimestampMs,
    ) -> Result<Option<Position>, CollectError> {
        let found = self.log.newest_snapshot(snapshots, since).await;
        let found = found.map_err(|error| self.unreadable(error))?;
        let oldest = found.or_else(|| snapshots.first().copied().filter(|_| !listing.has_first()));
        Ok(oldest.map(|(at, _)| at))
    }

    fn store_failed(&self, source: ObjectError) -> CollectError {
        CollectError::Store { database: self.log.database(), source }
    }

    fn unreadable(&self, error: ReadError) -> CollectError {
        match error {
            ReadError::Store(source) => self.store_failed(source),
            ReadError::Damaged(damaged) => damaged.into(),
        }
    }
}

impl Log {
    /// The newest of these snapshots that is not younger than `at`.
    pub(crate) async fn newest_snapshot(
        &self,
        snapshots: &[(Position, u64)],
        at: TimestampMs,
    ) -> Result<Option<(Position, u64)>, ReadError> {
        let (mut old, mut young) = (0, snapshots.len());
        while old < young {
            let middle = old + (young - old) / 2;
            let (position, size) = snapshots[middle];
            let found = self.snapshot_of(position, size).await?;
            if found.is_none_or(|snapshot| snapshot.state.at <= at) {
                old = middle + 1
            } else {
                young = middle
            }
        }
        Ok(old.checked_sub(1).map(|index| snapshots[index]))
    }

    /// Deletes objects.
    pub(crate) async fn delete(&self, names: Vec<Name>) -> Result<(), ObjectError> {
        let keys: Vec<_> = names.iter().map(|name| self.key(name)).collect();
        self.patiently(|| self.store().objects().delete_all(&keys)).await
    }
}

#[cfg(test)]
mod tests;
