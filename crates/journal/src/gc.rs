//! What may be deleted, and what never.
//!
//! 1. Snapshots older than the newest, unless history or a pin needs them.
//! 2. Records before the newest snapshot's, never that one itself, unless history or a pin needs them.
//! 3. But never a fence that followed no seal: the owner that it fenced off may have a put on its way, which aims
//!    exactly there, and would succeed in the hole (see the model in this crate's tests).
//!
//! A collector that is not the owner any more does no harm: it deletes only what lies before a snapshot up to which it
//! knows all fences.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use model::{DatabaseId, TimestampMs};

use crate::{
    Position,
    damage::Damaged,
    limits::READS_AT_ONCE,
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
    let snapshots: BTreeSet<Position> = listing.snapshots.iter().map(|(at, _)| *at).collect();
    if !snapshots.contains(&needs.oldest) {
        return Vec::new();
    }
    let base = |pin: Position| snapshots.range(..=pin).next_back().copied().unwrap_or(Position::START);
    let spans: Vec<(Position, Position)> = needs.pinned.iter().map(|pin| (base(*pin), *pin)).collect();
    let fenced = |at: Position| fences.iter().any(|fence| fence.position == at);
    let replayed = |at: Position| spans.iter().any(|(from, to)| (*from..=*to).contains(&at));
    let begun_at = |at: Position| spans.iter().any(|(from, _)| *from == at);
    let snapshots = snapshots.iter().copied().filter(|at| *at < needs.oldest && !begun_at(*at));
    let records = listing.records.iter().map(|(at, _)| *at);
    let records = records.filter(|at| *at < needs.oldest && !replayed(*at) && !fenced(*at));
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
        let Some(oldest) = self.oldest_needed(snapshots, since, history.is_zero()).await? else {
            return Ok(None);
        };
        let mut pinned = Vec::new();
        for name in &listing.pins {
            pinned.extend(self.log.pin(name).await.map_err(|error| self.unreadable(error))?);
        }
        Ok(Some(Needs { oldest, pinned: pinned.iter().map(|pin| pin.position).collect() }))
    }

    /// The newest of these snapshots that is not younger than `since`; the oldest if all are younger.
    async fn oldest_needed(
        &self,
        snapshots: &[(Position, u64)],
        since: TimestampMs,
        newest_will_do: bool,
    ) -> Result<Option<Position>, CollectError> {
        if newest_will_do {
            return Ok(snapshots.last().map(|(at, _)| *at));
        }
        let (mut old, mut young) = (0, snapshots.len());
        while old < young {
            let middle = old + (young - old) / 2;
            let (at, size) = snapshots[middle];
            let found = self.log.snapshot_of(at, size).await.map_err(|error| self.unreadable(error))?;
            if found.is_none_or(|snapshot| snapshot.state.at <= since) {
                old = middle + 1
            } else {
                young = middle
            }
        }
        Ok(snapshots.get(old.saturating_sub(1)).map(|(at, _)| *at))
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
    /// Deletes objects, several at a time.
    pub(crate) async fn delete(&self, names: Vec<Name>) -> Result<(), ObjectError> {
        stream::iter(names)
            .map(|name| async move {
                let key = self.key(&name);
                self.patiently(|| self.store().objects().delete(&key)).await
            })
            .buffer_unordered(READS_AT_ONCE)
            .try_collect()
            .await
    }
}

#[cfg(test)]
mod tests;
