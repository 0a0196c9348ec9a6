//! What a controller keeps on disk: its log, its vote, how far it purged and committed, and its newest snapshot.
//!
//! [`Log`] is what openraft sees. Behind it one task gathers writes and hands them to a [`Disk`] batch by batch: one
//! flush for each batch, however many writes are in it. [`SledDisk`] is the real disk; the simulation brings another.

pub mod codec;
mod direct_file;
mod disk;
mod error;
mod frame;
mod identity;
pub mod image_file;
mod log;
mod marker;
mod progress;
mod sled_disk;
mod tail;
mod writer;

pub use disk::{Disk, Encode, Loaded, Target, Write};
pub use error::StoreError;
pub use identity::Identity;
pub use log::Log;
pub use progress::{Progress, Stall};
pub use sled_disk::SledDisk;
#[cfg(test)]
use sled_disk::{DataFile, Wrap};

#[cfg(test)]
mod tests;
