//! Developer commands: `cargo xtask help`.
//!
//! One module for each command; this file only hands over to it.

mod fuzz;

use clap::Parser;

/// Developer commands of Stationmaster.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Command {
    /// Fuzzes the wire crate, guided by coverage, on the stable toolchain.
    Fuzz(fuzz::Args),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Fuzz(args) => fuzz::run(&args),
    }
}
