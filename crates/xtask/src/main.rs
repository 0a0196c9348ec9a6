//! Developer commands: `cargo xtask …`.

mod bench;
mod chaos;
mod ci;
#[cfg(test)]
mod claims;
mod fuzz;
mod requirements;
mod sim;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Command {
    /// Measure something and print the figures
    #[command(subcommand)]
    Bench(Bench),
    /// Run clients under faults on a cluster of real processes, and judge what they were told: see jepsen/README.md
    Chaos {
        /// How long, in minutes
        #[arg(long, default_value_t = 5)]
        minutes: u64,
        /// More for `stationmaster-jepsen run`, such as `--seed 7 --faults kill,pause`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        more: Vec<String>,
    },
    /// Check everything: format, lints, documentation, tests, fuzzing
    Ci(ci::Args),
    /// Fuzz what comes from outside, guided by coverage, on the stable toolchain
    Fuzz(fuzz::Args),
    /// Run the tests that are named for requirements, and print which requirements pass
    Requirements(requirements::Args),
    /// Simulate fleets under faults, each from a seed: see `tests/sim`
    Sim(sim::Args),
}

#[derive(Subcommand)]
enum Bench {
    /// The same application with a stock driver and with ours, through killed servers and planned moves
    Drivers {
        /// How often each happens
        #[arg(long, default_value_t = 3)]
        rounds: u64,
    },
    /// The map beside etcd, three members each, on the same disk; installs Debian's etcd when there is none
    Etcd {
        /// Rounds of each way
        #[arg(long, default_value_t = 5)]
        rounds: u64,
        /// Seconds of each round
        #[arg(long, default_value_t = 2)]
        seconds: u64,
    },
    /// Clients around a killed server and around a planned move: longest waits and errors
    Failover {
        /// Servers to kill, one after the other; four times as many moves
        #[arg(long, default_value_t = 8)]
        rounds: u64,
    },
    /// Durable commits beside plain SQLite on the same disk, and cold loads
    Journal {
        /// Rounds of each way
        #[arg(long, default_value_t = 5)]
        rounds: u64,
        /// Seconds of each round
        #[arg(long, default_value_t = 3)]
        seconds: u64,
        /// Microseconds that every sync takes longer, on both sides: a slower disk than this machine's
        #[arg(long, default_value_t = 0)]
        slower_sync_us: u64,
    },
    /// How long changes wait when the leading controller is stopped, killed, paused, cut off, or its disk stalls
    Leader {
        /// How often for each
        #[arg(long, default_value_t = 10)]
        rounds: u64,
    },
    /// The map: memory for each database, and three controllers with it: restart, snapshots, a late joiner, heartbeats
    Map {
        /// How many databases
        #[arg(long, default_value_t = 1_000_000)]
        databases: u64,
        /// Changes to make beside snapshots
        #[arg(long, default_value_t = 200_000)]
        changes: u64,
    },
    /// The relay beside PgBouncer: transactions per second and CPU time, in front of the same PostgreSQL
    Relay(bench::relay::Args),
    /// The wire: nanoseconds to read and write single messages
    Wire,
}

fn main() -> anyhow::Result<ExitCode> {
    match Command::parse() {
        Command::Bench(Bench::Drivers { rounds }) => bench::cluster::run("drivers", &[rounds])?,
        Command::Chaos { minutes, more } => return Ok(chaos::run(minutes, &more)),
        Command::Bench(Bench::Etcd { rounds, seconds }) => bench::etcd::run(rounds, seconds)?,
        Command::Bench(Bench::Failover { rounds }) => bench::cluster::run("failover", &[rounds])?,
        Command::Bench(Bench::Journal { rounds, seconds, slower_sync_us }) => {
            for (package, example) in [("server", "commits"), ("tests", "journal")] {
                bench::cluster::run_on_slower_disk(package, example, &[rounds, seconds], slower_sync_us)?;
            }
        }
        Command::Bench(Bench::Leader { rounds }) => {
            bench::cluster::run("leader", &[rounds])?;
            bench::cluster::run_of("controller", "cut_off_leader", &[rounds])?;
        }
        Command::Bench(Bench::Map { databases, changes }) => {
            bench::cluster::run_of("controller", "map", &[databases, changes])?;
        }
        Command::Bench(Bench::Relay(args)) => bench::relay::run(&args)?,
        Command::Bench(Bench::Wire) => bench::wire::run()?,
        Command::Ci(args) => return ci::run(&args),
        Command::Fuzz(args) => fuzz::run(&args)?,
        Command::Requirements(args) => return requirements::run(&args),
        Command::Sim(args) => return sim::run(&args),
    }
    Ok(ExitCode::SUCCESS)
}
