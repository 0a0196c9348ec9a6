//! Restoring a database to any position or time that its journal still reaches.

use model::{DatabaseId, TimestampMs};

use super::{OfflineError, To};
use crate::{
    Position, Recovery, Store,
    damage::{Damage, Object},
    log::Log,
    names::{Extent, Listing},
    replay::Replayed,
};

impl Store {
    /// Reads a database as it was. Nothing is fenced and nothing changed: write the image to a file, or fork.
    ///
    /// # Errors
    /// See [`OfflineError`].
    pub async fn restore(&self, database: DatabaseId, to: To) -> Result<Recovery, OfflineError> {
        let log = self.log(database);
        let listing = log.list().await.map_err(|source| OfflineError::Store { database, source })?;
        let (extent, until) = log.extent_of(&listing, to).await?;
        let replayed =
            log.replay(extent, until).await.map_err(|error| OfflineError::read(database, error))?;
        let Replayed { recovery, .. } = replayed;
        if recovery.state().position == Position::START {
            return Err(log.out_of_reach(&listing, to));
        }
        Ok(recovery)
    }
}

impl Log {
    /// What must be replayed, and until when.
    async fn extent_of(&self, listing: &Listing, to: To) -> Result<(Extent, TimestampMs), OfflineError> {
        let database = self.database();
        if listing.tombstone.is_some() {
            return Err(OfflineError::Dropped { database });
        }
        if listing.records.is_empty() && listing.snapshots.is_empty() {
            return Err(OfflineError::NoJournal { database });
        }
        let forever = TimestampMs(u64::MAX);
        let out_of_reach = || self.out_of_reach(listing, to);
        match to {
            To::Newest => Ok((listing.extent(database)?, forever)),
            To::Position(at) => Ok((listing.extent_to(at).ok_or_else(out_of_reach)?, forever)),
            To::Time(at) => {
                let snapshot = self.newest_snapshot(&listing.snapshots, at).await;
                let snapshot = snapshot.map_err(|error| OfflineError::read(database, error))?;
                Ok((listing.span_from(snapshot).ok_or_else(out_of_reach)?, at))
            }
        }
    }

    fn out_of_reach(&self, listing: &Listing, wanted: To) -> OfflineError {
        let database = self.database();
        let (oldest, newest) = listing.reach().unwrap_or_default();
        match wanted {
            To::Newest => Damage::Missing.of(Object::Record, database, newest).into(),
            To::Position(_) | To::Time(_) => OfflineError::OutOfReach { database, wanted, oldest, newest },
        }
    }
}

impl Listing {
    /// From a snapshot (or the beginning) to the next snapshot, or to the end of the log.
    fn span_from(&self, snapshot: Option<(Position, u64)>) -> Option<Extent> {
        let from = snapshot.map_or(Position::START, |(at, _)| at);
        let next = self.snapshots.iter().map(|(at, _)| *at).find(|at| *at > from);
        let end = next.or_else(|| self.records.last().map(|(at, _)| *at)).unwrap_or(from);
        let extent = self.extent_to(end.max(from))?;
        // The next snapshot itself is too young: what is wanted lies before it.
        let tail = extent.tail;
        let records = self.records.iter().filter(|(at, _)| (from.next()..=tail).contains(at)).count();
        (records as u64 == tail.since(from)).then_some(Extent { snapshot, tail })
    }
}
