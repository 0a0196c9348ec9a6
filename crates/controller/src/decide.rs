//! Everything that a leader decides, without any IO: time comes as an argument, and what to do goes out as a value.

mod cleanup;
mod liveness;
mod moving;
mod placing;
mod registering;
mod routing;

pub use cleanup::{Cleanup, Purge};
pub use liveness::Liveness;
pub use moving::{Aim, Move, Moving};
pub use placing::{Candidacy, place};
pub use registering::supersedes;
pub use routing::{Found, LoadFailure, Routing, Step, Trouble};
