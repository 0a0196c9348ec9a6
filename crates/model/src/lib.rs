//! The fleet as pure data: which server owns which database, and every rule about changing that.
//!
//! [`Fleet::apply`] is the only function that changes the map, and a committed [`Entry`] is its only input.
//! No clock, no randomness, no IO: the same entries in the same order give the same fleet on every controller.
//! Policies (where a database should go) are pure functions too, in [`placement`]; their *result* is what a command carries.

pub mod codec;
mod command;
mod directives;
mod event;
mod fleet;
mod ids;
mod level;
mod limits;
mod name;
mod options;
mod pinning;
pub mod placement;
mod senders;
mod text;
mod time;

pub use command::{Command, Entry, Field, Fork, ForkPoint, IdKind, Outcome, Registration, Rejection};
pub use directives::{Audience, Directive, Standing, Targets};
pub use event::{
    Cause, Event, EventFilter, EventId, EventLog, EventPage, EventsFrom, Evidence, Fact, What, Why,
};
pub use fleet::{Change, Changes, Database, Digest, Fleet, Handler, Server, ServerState, User};
pub use ids::{
    ControllerId, DatabaseId, Epoch, FleetId, HandlerId, IdempotencyKey, Incarnation, ParseIdError,
    RequestId, Revision, ServerId, SessionId, Tenure, TimestampMs,
};
pub use level::Level;
pub use limits::*;
pub use name::{Name, NameError};
pub use options::{DatabaseOption, DatabaseOptions, OnTimeLimit, OptionError};
pub use pinning::{Paused, PinnedTo};
pub use senders::{Pending, Person, Proposal, SenderRole, Wish};
