//! A controller: one of the few processes that keep the map of the fleet, replicated by Raft.
//!
//! It holds the map in memory and its log on disk, answers look-ups, and, while it leads, watches the servers, places
//! databases and tells servers to load them. It never sees a row and is never on the path of one.
//!
//! - [`store`]: the log, the vote and the snapshot on disk, and how losses are noticed;
//! - [`machine`]: the map, changed by committed entries and read by everybody;
//! - [`raft`]: the consensus engine's types and how controllers speak to each other;
//! - [`decide`]: everything that a leader decides, as pure functions of facts and time;
//! - [`balance`]: whether and how databases are moved by policy;
//! - [`loads`]: what is known of loads, by which databases are moved;
//! - [`node`]: the thin shell that gathers the facts, asks what to do, proposes and acts.

mod answering;
mod api;
pub mod backup;
mod balance;
mod blocking;
mod decide;
mod error;
mod fault;
mod formation;
mod limits;
mod loads;
mod machine;
mod meter;
mod node;
mod raft;
mod reign;
mod run;
mod seed;
mod servers;
mod settings;
mod store;
#[cfg(any(test, feature = "fuzzing"))]
pub mod untrusted;

pub use balance::{BalanceSettings, Mode};
pub use blocking::{Gone, Worker};
pub use error::Error;
pub use loads::{LoadSettings, Place, PrometheusSettings};
pub use run::{run, run_on};
#[doc(hidden)]
pub use seed::seed;
pub use settings::{Settings, SettingsError};
pub use store::{Disk, Encode, Loaded, SledDisk, StoreError, Target, Write};
