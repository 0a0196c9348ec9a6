//! The shared vectors: what every driver must read, refuse, write and decide alike.
//!
//! `UPDATE_EXPECT=1 cargo test -p directive --all-features --test vectors -- --test-threads=1` writes what is computed
//! into the files; whoever does that reads the difference before committing it.

#[path = "vectors/file.rs"]
mod file;
#[path = "vectors/postgres.rs"]
mod postgres;
#[path = "vectors/reading.rs"]
mod reading;
#[path = "vectors/receiver.rs"]
mod receiver;
