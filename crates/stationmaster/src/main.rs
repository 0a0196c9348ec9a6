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

fn main() -> ExitCode {
    if let Some(warning) = sabotage::warning() {
        eprintln!("{warning}");
    }
    match cli::run() {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
