//! The journal as its users see it: opening, committing, failing, recovering.

mod crash;
mod owner;
mod torture;
mod world;
