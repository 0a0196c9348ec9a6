//! The journal as its users see it: opening, committing, failing, recovering.

mod owner;
mod torture;
mod world;
