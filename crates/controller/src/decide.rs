//! Everything that a leader decides, without any IO: time comes as an argument, and what to do goes out as a value.

mod alarm;
mod blame;
mod brake;
mod cause;
mod directives;
mod errands;
mod facts;
#[cfg(test)]
pub mod fleets;
mod grey;
mod liveness;
pub mod members;
mod moving;
mod overruns;
mod pending;
mod placing;
mod registering;
mod rescue;
mod routing;
pub mod scene;
mod slowness;
mod snapshots;
mod stalling;

pub use alarm::Alarm;
pub use blame::{Evidence, Judgement, Measure, judge};
pub use brake::{Brake, Silence, Turn, Verdict};
pub use cause::Cause;
pub use directives::Told;
pub use errands::{Errand, Errands};
pub use facts::Facts;
pub use grey::{Care, Grey, Patient, Treatment};
pub use liveness::Liveness;
pub use moving::{Aim, Move, Moving};
pub use overruns::Overruns;
pub use pending::{Pending, Promise};
pub use placing::{nowhere, pinned, place};
pub use registering::supersedes;
pub use rescue::Rescue;
pub use routing::{Found, LoadFailure, Routing, Step, Trouble};
pub use scene::{Known, Scene, Sketch};
pub use slowness::Slowness;
pub use snapshots::Places;
pub use stalling::successor;
