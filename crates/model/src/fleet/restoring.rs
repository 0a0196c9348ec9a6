//! A map that comes back from a backup, after the one that went on from there was lost.
//!
//! The lost map may have done anything since the backup: given ids, changed owners, moved on to later revisions. Nobody
//! knows what, and processes that heard of it may still be there. So every counter jumps past whatever it may have
//! reached, to the microseconds of the clock: none of them grows as fast as that, so it is past what a map restored
//! earlier from the same backup may have reached, too. A clock that stands wrong costs only that; [`RESTORE_SKIP`]
//! remains.
//!
//! Nobody owns anything: every server's life is over, and begins anew when it registers. What a server goes on doing
//! meanwhile on the lost map's word ends at the journal, as with any owner that was deposed: the next one fences with
//! an epoch that is above all epochs the lost map gave.

use imbl::Vector;

use super::{Database, Fleet, ServerState};
use crate::{
    Epoch, Event, EventId, Evidence, FleetId, Level, Revision, TimestampMs, What,
    limits::{COUNTER_MAX, RESTORE_SKIP},
};

impl Fleet {
    /// An empty map for a fleet whose journals are all that is left: see [`Fleet::restored`].
    pub fn refounded(fleet: FleetId, at: TimestampMs) -> Self {
        Self { id: Some(fleet), level: Level::NEWEST, ..Self::default() }.restored(at, "no backup")
    }

    /// The map to go on with when everything after this one was lost. `of` says where it comes from, for the event
    /// that tells of it.
    #[must_use]
    pub fn restored(self, at: TimestampMs, of: &str) -> Self {
        let beyond = |counter: u64| counter.saturating_add(RESTORE_SKIP).max(at.0.saturating_mul(1000));
        let counter = |value: u64| beyond(value).min(COUNTER_MAX / 2).max(value);
        let epoch = |epoch: Epoch| Epoch(counter(epoch.0));
        let revision = Revision(counter(self.revision.0));
        let unowned =
            |database: &Database| Database { epoch: epoch(database.epoch), owner: None, ..database.clone() };
        let mut servers = self.servers;
        servers.values_mut().for_each(|server| server.state = ServerState::Down);
        let mut fleet = Self {
            revision,
            database_last: beyond(self.database_last),
            databases: self.databases.iter().map(|(id, database)| (*id, unowned(database))).collect(),
            dropped: self.dropped.into_iter().map(|(id, fence)| (id, epoch(fence))).collect(),
            servers,
            // What was said before is not what helps now.
            directives: std::collections::BTreeMap::new(),
            pending: std::collections::BTreeMap::new(),
            recent: Vector::new(),
            recent_since: revision,
            ..self
        };
        fleet.events.push(restored(revision, at, of));
        fleet
    }
}

fn restored(revision: Revision, at: TimestampMs, of: &str) -> Event {
    Event {
        id: EventId { revision, index: 0 },
        at,
        evidence: Evidence::new(of),
        what: What::MapRestored,
        cause: None,
        database: None,
        name: None,
        from: None,
        to: None,
        epoch_before: None,
        epoch_after: None,
        took_us: None,
    }
}
