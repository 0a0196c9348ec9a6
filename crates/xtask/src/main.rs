//! Developer commands: `cargo xtask …`.

mod bench;

use clap::{Parser, Subcommand};

/// Developer commands of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Command {
    /// Measure something and print the figures
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Subcommand)]
enum Bench {
    /// The map: memory for each database, times of snapshot and restart
    Map {
        /// How many databases
        #[arg(long, default_value_t = 1_000_000)]
        databases: u64,
    },
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Bench(bench) => bench::optimised(|| match bench {
            Bench::Map { databases } => bench::map::run(databases),
        }),
    }
}
