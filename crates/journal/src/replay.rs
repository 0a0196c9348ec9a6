//! Replaying a log from a snapshot: shared by openings, which have fenced it, and by restores, which only look.

use model::TimestampMs;

use crate::{
    Position, Recovery, Store,
    damage::{Damage, Object},
    limits::FORK_DEPTH_MAX,
    log::{Log, ReadError},
    names::{Extent, Listing},
    policy::Debt,
    record::{Base, Kind},
};

/// What a replay gives.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) recovery: Recovery,
    /// What was replayed.
    pub(crate) debt: Debt,
}

impl Log {
    /// Reads the snapshot and the records of `extent`, up to the last that is not younger than `until`, and checks that
    /// each follows the one before.
    pub(crate) async fn replay(&self, extent: Extent, until: TimestampMs) -> Result<Replayed, ReadError> {
        self.replay_within(extent, until, FORK_DEPTH_MAX).await
    }

    async fn replay_within(
        &self,
        extent: Extent,
        until: TimestampMs,
        depth: u32,
    ) -> Result<Replayed, ReadError> {
        let database = self.database();
        let snapshot = async {
            let Some((at, size)) = extent.snapshot else { return Ok(None) };
            let found = self.snapshot_of(at, size).await?;
            found.map(Some).ok_or_else(|| Damage::Missing.of(Object::Snapshot, database, at).into())
        };
        let records = self.records(extent.base(), extent.tail);
        let (snapshot, records) = futures::future::try_join(snapshot, records).await?;
        let mut debt = Debt::default();
        let mut recovery = Recovery::new(self.clone(), snapshot);
        for record in records.into_iter().take_while(|record| record.header.at <= until) {
            debt.records += 1;
            debt.data_records += u64::from(matches!(record.header.kind, Kind::Data | Kind::Base));
            debt.bytes += record.size;
            let (position, base) = (record.header.position, record.base);
            let damaged = |damage: Damage| damage.of(Object::Record, database, position);
            recovery.apply(record).map_err(damaged)?;
            if let Some(base) = base {
                let parent = Box::pin(self.store().base_of(base, depth)).await?;
                recovery.begin_as(parent, base).map_err(damaged)?;
            }
        }
        Ok(Replayed { recovery, debt })
    }
}

impl Store {
    /// The parent of a copy, as it was when the copy was made.
    async fn base_of(&self, base: Base, depth: u32) -> Result<Recovery, ReadError> {
        let log = self.log(base.database);
        let damaged = |damage: Damage| damage.of(Object::Record, base.database, base.position);
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| damaged(Damage::Nonsense("it is a copy of too many copies")))?;
        let extent = log.list().await?.extent_to(base.position).ok_or_else(|| damaged(Damage::Missing))?;
        Ok(log.replay_within(extent, TimestampMs(u64::MAX), depth).await?.recovery)
    }
}

impl Listing {
    /// The newest snapshot up to `position`, and `position` itself; nothing if a record between them is gone.
    pub(crate) fn extent_to(&self, position: Position) -> Option<Extent> {
        let snapshot = self.snapshots.iter().rev().find(|(at, _)| *at <= position).copied();
        let extent = Extent { snapshot, tail: position };
        let listed =
            self.records.iter().filter(|(at, _)| (extent.base().next()..=position).contains(at)).count();
        (listed as u64 == position.since(extent.base())).then_some(extent)
    }
}
