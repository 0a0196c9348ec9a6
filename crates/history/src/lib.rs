//! What clients asked for and were told while things went wrong, and what can be said of it.
//!
//! [`History`] is such a record, kept in Jepsen's EDN. The checkers each take one and give a [`Verdict`].
//! Pure: no IO, no clock, no randomness. The clients that make histories are in `jepsen/`, and in the controllers' tests.

mod append;
mod bank;
pub mod edn;
mod epochs;
mod event;
pub mod linearizable;
mod looks;
mod names;
mod register;
mod set;
mod sqlstate;
mod verdict;

pub use append::check as check_append;
pub use bank::check as check_bank;
pub use edn::Edn;
pub use epochs::check as check_epochs;
pub use event::{Event, History, Kind, NotAHistory, Operation, Process};
pub use names::check as check_names;
pub use register::check as check_register;
pub use set::check as check_set;
pub use sqlstate::had_no_effect;
pub use verdict::{Finding, Verdict};
