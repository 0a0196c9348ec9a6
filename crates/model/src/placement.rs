//! Where databases should be: one pure policy for creation, failover, drains, load and clients' distance (R23-R26, R34).
//!
//! Every mover uses the same objective, [`Objective`]: a penalty that is convex in a server's load, the distance of
//! clients, and the cost of moving. It refuses to know clocks, names, the log and how a move is carried out: whoever calls
//! it brings a [`Snapshot`] of dense arrays and the time in milliseconds, and executes what it is told.
//! The controllers' leader and the simulator call the same functions.
//!
//! # Public interface
//! - [`Snapshot`] with [`Server`], [`Database`], [`ClientShare`], [`RoundTrips`] and [`Flight`]: what is. Servers, databases
//!   and locations are meant by their index in it.
//! - [`Settings`]: what an operator can set.
//! - [`Memory`]: what is carried from round to round: budgets, who gives, who was moved lately. [`Memory::commit`] tells
//!   it of a planned move that is carried out, [`Memory::moved`] of any other.
//! - [`plan`]: what to move now. A dry run is a plan on a clone of the memory, which nobody commits.
//! - [`place()`]: the server for one database: creation, failover, drain.
//! - [`explain()`]: what every server would mean for one database, term by term.
//! - [`Limits`]: the ceilings of a round, which float with the mean.
//!
//! # The algorithm
//! A server *gives* when it is above `urgent`, or above its location's mean by `band_high` for `sustain`, until it is within
//! `band_low`. From the hottest to the coolest, while there are tokens, the move is made that lowers the objective most:
//! among the giver's 64 biggest databases that were not moved lately, and the three least loaded servers and the least
//! loaded big one of every location. What is on its way counts on both sides, what is added counts a tenth more, no target
//! goes over the ceiling, nobody gets back what it gave lately, and no move only carries the hot spot elsewhere.
//! Beside that, a part of the databases is looked at for clients that are mostly closer to another location.
//! The figures and what they were compared with are in the simulator's documentation.

mod explain;
mod giving;
mod limits;
mod location;
mod memory;
mod objective;
mod place;
mod round;
mod rules;
mod settings;
mod snapshot;
mod tie;
mod work;

pub use explain::{Explanation, Giving, Offer, Verdict, explain};
pub use limits::Limits;
pub use memory::{Memory, Moved};
pub use objective::{Objective, Terms};
pub use place::{Placement, Wanted, place};
pub use round::{Gauges, Measure, Move, Plan, Reason, Skip, Skipped, TooHot, plan};
pub use settings::Settings;
pub use snapshot::{ClientShare, Database, Flight, NOWHERE, Pin, RoundTrips, Server, Snapshot};

pub use crate::ServerState as State;

#[cfg(test)]
mod tests;
