//! The map's tests from outside: readable scripts, random histories, golden bytes, damaged bytes, memory.
//!
//! One program, because linking is what takes the time.

mod allocator;
mod damage;
mod golden;
mod impossible;
mod memory;
mod property;
mod samples;
mod script;
mod view;
