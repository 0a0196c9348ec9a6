//! The whole control plane in one thread, from one number: controllers, servers and handlers as they are, on a simulated
//! network, with simulated clocks, disks and object store, under faults, with clients that record what they were told.
//!
//! Each seed runs in a process of its own, as libraries keep process-wide state, and gives the same trace each time.
//! What is simulated, and what not, is told in ARCHITECTURE.md; the invariants are the files of [`invariant`].
//!
//! Messages between processes are frames of tarpc on a stream. A stream loses bytes only by breaking, but the processes and
//! queues at its ends can lose what they were given: so single requests and answers get lost, too, and requests arrive a
//! second time, late (`net::messages` says what that stands for, and what tarpc makes of it).
//! Clocks differ: each host's runs at a rate of its own, by up to what the controllers allow for, and shows a wall time that is
//! up to an hour wrong and may jump.

mod chance;
mod clients;
mod disk;
mod host;
mod invariant;
mod net;
mod plan;
mod record;
mod roles;
mod run;
mod seeds;
mod store;
mod tap;
mod time;
mod trace;
mod world;

use std::process::ExitCode;

use clap::Parser;
use history::Verdict;

/// Simulates fleets under faults, and judges what their clients were told.
#[derive(Parser)]
struct Args {
    /// How many seeds; without --seed from 1 on
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Plant a bug; only in builds with the feature `sabotage`
    #[arg(long, value_name = "BUG")]
    sabotage: Option<String>,
    /// Plant each bug in turn, and try so many seeds until an invariant catches it
    #[arg(long)]
    catch: bool,
    /// Run one seed here and print everything that happens
    #[arg(long)]
    trace: bool,
    /// Run one seed here and nothing else
    #[arg(long, hide = true)]
    one: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if args.one || args.trace {
        return one(args.seed, args.trace);
    }
    if args.catch {
        return seeds::catch(args.seed, args.seeds);
    }
    seeds::run(args.seed, args.seeds, args.sabotage.as_deref())
}

/// Runs one seed; what it logs goes to stderr where `RUST_LOG` asks for it.
fn one(seed: u64, shown: bool) -> anyhow::Result<ExitCode> {
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    }
    let outcome = run::run(seed, shown)?;
    let (notes, digest) = outcome.trace;
    println!("seed {seed}: {}; {}; trace {digest:016x} of {notes} notes", outcome.verdict(), outcome.went);
    for (name, finding) in &outcome.findings {
        println!("  {name:<10} {:<8} {}", finding.verdict.to_string(), finding.looked_at);
        for wrong in &finding.wrong {
            println!("             {wrong}");
        }
    }
    Ok(match outcome.verdict() {
        Verdict::Valid => ExitCode::SUCCESS,
        Verdict::Invalid => ExitCode::from(1),
        Verdict::Unknown => ExitCode::from(2),
    })
}
