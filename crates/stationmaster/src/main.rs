//! `stationmaster`: every role, a whole cluster on one machine, and the operators' command line, in one binary.

mod cli;
mod config;
mod dev;
mod failure;
mod http;
mod logging;
mod metrics;
mod new_file;
mod offline;
mod operate;
mod role;
mod secret;
mod signals;
mod simulate;

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// What is made by one thread is mostly let go of by another here, which costs the system's allocator a fifth of a
/// controller's processor time (`cargo xtask bench etcd`).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    if let Some(warning) = sabotage::warning() {
        eprintln!("{warning}");
    }
    match cli::run() {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
