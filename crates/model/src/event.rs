//! Events: what was decided or found out, why, and on what evidence (S10).
//!
//! An event is made by applying an entry, so it is the same on every controller, survives them, and none is missing
//! between two others. [`Fleet`](crate::Fleet) keeps the newest in a bounded ring; nothing decides anything by them.

mod fact;
mod log;
mod why;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use fact::Fact;
pub use log::{EventFilter, EventLog, EventPage, EventsFrom};
pub use why::{Cause, Evidence, Why};

use crate::{DatabaseId, Epoch, Level, Name, ParseIdError, Revision, ServerId, TimestampMs};

/// Names an event for ever, and orders all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId {
    /// The entry that made it.
    pub revision: Revision,
    /// Which one of that entry's, from 0.
    pub index: u32,
}

/// What was decided or found out. Only the fields that make sense for it are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place among all events.
    pub id: EventId,
    /// The leader's clock then, or the time of the event before, if the clock is behind that: never going back.
    pub at: TimestampMs,
    /// What it was.
    pub what: What,
    /// Why, if that was said.
    pub cause: Option<Cause>,
    /// The database concerned.
    pub database: Option<DatabaseId>,
    /// The database's name then, or a handler's or a user's.
    pub name: Option<Name>,
    /// The server that lost something, or that it is about.
    pub from: Option<ServerId>,
    /// The server that got something.
    pub to: Option<ServerId>,
    /// The database's epoch before.
    pub epoch_before: Option<Epoch>,
    /// The database's epoch after.
    pub epoch_after: Option<Epoch>,
    /// How long it took, in microseconds, where that is known.
    pub took_us: Option<u64>,
    /// What it was decided on, in words.
    pub evidence: Evidence,
}

/// Kinds of events. Variants are only ever added at the end: their order is their number on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum What {
    /// The fleet got its id.
    FleetFounded,
    /// A database was made.
    Created,
    /// A database got another name.
    Renamed,
    /// A database was dropped.
    Dropped,
    /// A dropped database's journal is gone.
    Purged,
    /// A database that nobody served was given to a server.
    Assigned,
    /// A database was taken from a server that lives and given to another.
    Moved,
    /// A database was taken from its server and given to nobody.
    Unassigned,
    /// Options of a database were changed.
    OptionsSet,
    /// A copy of a database is being made.
    ForkBegun,
    /// The copy is complete.
    ForkFormed,
    /// The copy could not be made.
    ForkAbandoned,
    /// A server began a life.
    ServerRegistered,
    /// A server's life was declared over: everything it owned counts as unassigned.
    ServerExpired,
    /// A server began to be emptied.
    ServerDraining,
    /// A server takes databases again.
    ServerUndrained,
    /// A handler came.
    HandlerRegistered,
    /// A user was made or got another verifier.
    UserPut,
    /// A user was dropped.
    UserDropped,
    /// Automatic reassignment was stopped.
    BrakeOn,
    /// Automatic reassignment goes on.
    BrakeOff,
    /// A controller became the leader.
    LeaderElected,
    /// A server has loaded a database.
    LoadFinished,
    /// A server could not load a database.
    LoadFailed,
    /// A server has let go of a database.
    Released,
    /// A server did not let go of a database.
    ReleaseFailed,
    /// A request exceeded its database's time limit, and this was the verdict.
    TimeLimitVerdict,
    /// More was found out than could be recorded; the evidence says how much.
    FactsLost,
    /// Every controller knows more now, and may be told it.
    LevelRaised,
    /// A database was made of a journal that was there already.
    Adopted,
    /// The map is one that was restored.
    MapRestored,
    /// A controller was added, let vote, or taken off; the evidence says which.
    ControllersChanged,
    /// A directive was sent to clients, or to other clients than before.
    DirectiveSent,
    /// A directive was revoked, or its time is over.
    DirectiveEnded,
    /// A database must be somewhere from now on, or may be anywhere again; the evidence says where.
    Pinned,
    /// Databases are not moved for load and distance any more.
    BalancingPaused,
    /// Databases are moved for load and distance again.
    BalancingResumed,
    /// What is known of loads is too old or absurd; the evidence says of which, and by that nothing is moved.
    LoadsStale,
    /// What was not known of loads is known again.
    LoadsFresh,
    /// A database needs more than any server has.
    DatabaseTooHot,
    /// A database cannot be where it is pinned to; the evidence says what to do.
    Unplaceable,
    /// A user may send directives now, or not any more; the evidence says which, and by whom.
    SenderPut,
    /// Something waits for a second person; the evidence says what.
    ApprovalAsked,
    /// What waited was taken back.
    ApprovalWithdrawn,
    /// Something is wrong with a server, or with a database there; the evidence says what.
    ConditionRaised,
    /// That is over; it took so long.
    ConditionCleared,
}

impl What {
    /// All of them, in order.
    pub const ALL: [Self; 46] = [
        Self::FleetFounded,
        Self::Created,
        Self::Renamed,
        Self::Dropped,
        Self::Purged,
        Self::Assigned,
        Self::Moved,
        Self::Unassigned,
        Self::OptionsSet,
        Self::ForkBegun,
        Self::ForkFormed,
        Self::ForkAbandoned,
        Self::ServerRegistered,
        Self::ServerExpired,
        Self::ServerDraining,
        Self::ServerUndrained,
        Self::HandlerRegistered,
        Self::UserPut,
        Self::UserDropped,
        Self::BrakeOn,
        Self::BrakeOff,
        Self::LeaderElected,
        Self::LoadFinished,
        Self::LoadFailed,
        Self::Released,
        Self::ReleaseFailed,
        Self::TimeLimitVerdict,
        Self::FactsLost,
        Self::LevelRaised,
        Self::Adopted,
        Self::MapRestored,
        Self::ControllersChanged,
        Self::DirectiveSent,
        Self::DirectiveEnded,
        Self::Pinned,
        Self::BalancingPaused,
        Self::BalancingResumed,
        Self::LoadsStale,
        Self::LoadsFresh,
        Self::DatabaseTooHot,
        Self::Unplaceable,
        Self::SenderPut,
        Self::ApprovalAsked,
        Self::ApprovalWithdrawn,
        Self::ConditionRaised,
        Self::ConditionCleared,
    ];

    /// The oldest level that facts can say it at.
    pub fn level(self) -> Level {
        match self as usize {
            number if number >= Self::SenderPut as usize => Level::SENDERS,
            number if number >= Self::Pinned as usize => Level::PLACEMENT,
            _ => Level::EVENTS,
        }
    }

    /// Its name in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::FleetFounded => "fleet founded",
            Self::Created => "created",
            Self::Renamed => "renamed",
            Self::Dropped => "dropped",
            Self::Purged => "purged",
            Self::Assigned => "assigned",
            Self::Moved => "moved",
            Self::Unassigned => "unassigned",
            Self::OptionsSet => "options set",
            Self::ForkBegun => "fork begun",
            Self::ForkFormed => "fork formed",
            Self::ForkAbandoned => "fork abandoned",
            Self::ServerRegistered => "server registered",
            Self::ServerExpired => "server expired",
            Self::ServerDraining => "server draining",
            Self::ServerUndrained => "server undrained",
            Self::HandlerRegistered => "handler registered",
            Self::UserPut => "user put",
            Self::UserDropped => "user dropped",
            Self::BrakeOn => "brake on",
            Self::BrakeOff => "brake off",
            Self::LeaderElected => "leader elected",
            Self::LoadFinished => "load finished",
            Self::LoadFailed => "load failed",
            Self::Released => "released",
            Self::ReleaseFailed => "release failed",
            Self::TimeLimitVerdict => "time limit verdict",
            Self::FactsLost => "facts lost",
            Self::LevelRaised => "level raised",
            Self::Adopted => "adopted",
            Self::MapRestored => "map restored",
            Self::ControllersChanged => "controllers changed",
            Self::DirectiveSent => "directive sent",
            Self::DirectiveEnded => "directive ended",
            Self::Pinned => "pinned",
            Self::BalancingPaused => "balancing paused",
            Self::BalancingResumed => "balancing resumed",
            Self::LoadsStale => "loads stale",
            Self::LoadsFresh => "loads fresh",
            Self::DatabaseTooHot => "database too hot",
            Self::Unplaceable => "unplaceable",
            Self::SenderPut => "sender put",
            Self::ApprovalAsked => "approval asked",
            Self::ApprovalWithdrawn => "approval withdrawn",
            Self::ConditionRaised => "condition raised",
            Self::ConditionCleared => "condition cleared",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an event counts for beside its texts. A number, not what it takes in memory: controllers of two releases forget the
/// same.
const FIXED_BYTES: usize = 144;

impl Event {
    /// What it counts for in [`EVENTS_BYTES_MAX`](crate::EVENTS_BYTES_MAX).
    pub(crate) fn bytes(&self) -> usize {
        FIXED_BYTES + self.evidence.len() + self.name.as_ref().map_or(0, |name| name.len())
    }
}

impl EventId {
    /// After every event of a revision and of those before.
    pub fn end_of(revision: Revision) -> Self {
        Self { revision, index: u32::MAX }
    }
}

/// `120`, or `120.3` for another one than the first of its entry.
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            0 => write!(f, "{}", self.revision),
            index => write!(f, "{}.{index}", self.revision),
        }
    }
}

impl FromStr for EventId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let error = || ParseIdError { text: text.into(), expected: "an event's id, like 120 or 120.3" };
        let (revision, index) = text.split_once('.').unwrap_or((text, "0"));
        if !revision.bytes().chain(index.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(error());
        }
        let revision = revision.parse().map(Revision).map_err(|_| error())?;
        Ok(Self { revision, index: index.parse().map_err(|_| error())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_number_and_name() {
        for (number, what) in What::ALL.into_iter().enumerate() {
            assert_eq!(what as usize, number, "{what} is out of order");
        }
        let names: std::collections::BTreeSet<_> = What::ALL.map(What::name).into();
        assert_eq!(names.len(), What::ALL.len());
    }

    #[test]
    fn ids_print_and_parse_back() {
        let id = |revision, index| EventId { revision: Revision(revision), index };
        for (value, text) in [(id(120, 0), "120"), (id(120, 3), "120.3")] {
            assert_eq!((value.to_string().as_str(), text.parse()), (text, Ok(value)));
        }
        assert_eq!("7.0".parse(), Ok(id(7, 0)));
        for text in ["", "x", "1.", "1.x", "-1", "1.2.3", "1.99999999999"] {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }
}
