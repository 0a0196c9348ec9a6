//! The journal as its users see it: opening, committing, failing, recovering.

#[cfg(feature = "cloud")]
mod cloud;
mod contract;
mod crash;
mod damage;
mod faults;
mod fork;
mod garbage;
mod history;
mod layout;
mod offline;
mod owner;
mod torture;
mod world;
