//! The SQLite engine through its seam: real frames in, real frames out, no socket between.

mod capture;
mod client;
mod outcomes;
mod random;
mod scripts;
