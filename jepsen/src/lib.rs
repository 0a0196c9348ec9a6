//! Chaos: real clusters under faults, clients that record what they were told, and verdicts on that.
//!
//! A run goes by a [`Plan`], which a seed gives. [`run()`] boots a cluster of real processes, or takes one that somebody
//! else runs, lets [`workload`]s work on it while the [`nemesis`] makes faults, waits until everything is well again,
//! and judges the histories by the checkers of the crate `history`. [`report`] makes a page of it.
//! See README.md beside this for how to use it and how to add to it.

mod cluster;
mod doctor;
mod interrupt;
mod nemesis;
mod plan;
mod random;
mod record;
mod report;
mod run;
mod workload;

pub use cluster::{Described, Target};
pub use doctor::doctor;
pub use interrupt::interrupted;
pub use nemesis::CATALOG;
pub use plan::{Options, Plan, Step, Work};
pub use record::{Installed, Outage, Record};
pub use report::write as write_report;
pub use run::{Extras, Place, Summary, run};
pub use workload::{WORKLOADS, check};
