//! The SQLite engine through its seam: real frames in, real frames out, no socket between.

mod client;
mod scripts;
