//! Developer commands: `cargo xtask …`.

mod bench;
mod ci;
#[cfg(test)]
mod claims;
mod fuzz;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Command {
    /// Measure something and print the figures
    #[command(subcommand)]
    Bench(Bench),
    /// Check everything: format, lints, documentation, tests, fuzzing
    Ci(ci::Args),
    /// Fuzz the wire crate, guided by coverage, on the stable toolchain
    Fuzz(fuzz::Args),
}

#[derive(Subcommand)]
enum Bench {
    /// The map: memory for each database, times of snapshot and restart
    Map {
        /// How many databases
        #[arg(long, default_value_t = 1_000_000)]
        databases: u64,
    },
    /// The relay beside PgBouncer: transactions per second and CPU time, in front of the same PostgreSQL
    Relay(bench::relay::Args),
    /// The wire: nanoseconds to read and write single messages
    Wire,
}

fn main() -> anyhow::Result<ExitCode> {
    match Command::parse() {
        Command::Bench(Bench::Map { databases }) => bench::optimised(|| bench::map::run(databases))?,
        Command::Bench(Bench::Relay(args)) => bench::relay::run(&args)?,
        Command::Bench(Bench::Wire) => bench::wire::run()?,
        Command::Ci(args) => return ci::run(&args),
        Command::Fuzz(args) => fuzz::run(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}
