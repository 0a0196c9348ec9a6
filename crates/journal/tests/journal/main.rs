//! The journal as its users see it: opening, committing, failing, recovering.

#[cfg(feature = "cloud")]
mod cloud;
mod contract;
mod crash;
mod damage;
mod faults;
mod garbage;
mod offline;
mod owner;
mod torture;
mod world;
