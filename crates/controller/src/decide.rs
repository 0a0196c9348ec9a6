//! Everything that a leader decides, without any IO: time comes as an argument, and what to do goes out as a value.

mod blame;
mod brake;
mod cause;
mod errands;
mod facts;
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
mod slowness;
mod snapshots;
mod stalling;

pub use blame::{Evidence, Judgement, Measure, judge};
pub use brake::{Brake, Silence, Turn, Verdict};
pub use cause::Cause;
pub use errands::{Errand, Errands};
pub use facts::Facts;
pub use grey::{Care, Grey, Patient, Treatment};
pub use liveness::Liveness;
pub use moving::{Aim, Move, Moving};
pub use overruns::Overruns;
pub use pending::{Pending, Promise};
pub use placing::{Candidacy, place};
pub use registering::supersedes;
pub use rescue::Rescue;
pub use routing::{Found, LoadFailure, Routing, Step, Trouble};
pub use slowness::Slowness;
pub use snapshots::Places;
pub use stalling::successor;
