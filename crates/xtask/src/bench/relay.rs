//! The relay beside PgBouncer, both in front of the same PostgreSQL: `pgbench -S`, rounds in turn.
//!
//! Needs `initdb`, `postgres`, `pgbench` and `pgbouncer` on the machine. Everything runs in a temporary folder on ports
//! of its own and is ended afterwards. The solid figures are CPU time per transaction and the ratio of each round to
//! the direct one beside it; single rates scatter with whatever else the machine does.

mod fleet;

use std::{collections::BTreeMap, process::Command, time::Duration};

use anyhow::{Context, bail};

use fleet::{Fleet, Way};

/// How much is measured.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Seconds of each round
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Rounds of each way
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Numbers of clients
    #[arg(long, value_delimiter = ',', default_value = "1,8,32")]
    clients: Vec<u32>,
    /// Protocols: simple, extended, prepared
    #[arg(long, value_delimiter = ',', default_value = "simple,prepared")]
    modes: Vec<String>,
}

/// What one round gave.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// Transactions per second.
    rate: f64,
    /// Average latency in milliseconds.
    latency: f64,
    /// CPU time of whatever stands between, per transaction, in microseconds.
    cpu: f64,
}

/// Measures and prints a table.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let fleet = Fleet::start()?;
    println!(
        "{:<9} {:>7}  {:<9} {:>9} {:>7} {:>9} {:>10}",
        "mode", "clients", "way", "tps", "ratio", "ms", "CPU us/tx"
    );
    for mode in &args.modes {
        for &clients in &args.clients {
            let mut rounds: BTreeMap<&str, Vec<Round>> = BTreeMap::new();
            for _ in 0..args.rounds {
                for way in Way::ALL {
                    rounds.entry(way.name()).or_default().push(round(
                        &fleet,
                        way,
                        mode,
                        clients,
                        args.seconds,
                    )?);
                }
            }
            print(mode, clients, &rounds);
        }
    }
    Ok(())
}

fn round(fleet: &Fleet, way: Way, mode: &str, clients: u32, seconds: u32) -> anyhow::Result<Round> {
    let cpu_before = fleet.cpu(way)?;
    let output = Command::new("pgbench")
        .args(["-n", "-S", "-h", "127.0.0.1", "-U", "bench", "-M", mode])
        .args(["-p", &fleet.port(way).to_string(), "-c", &clients.to_string(), "-T", &seconds.to_string()])
        .arg("db-1")
        .env("PGPASSWORD", "bench")
        .output()
        .context("cannot run pgbench")?;
    let cpu = fleet.cpu(way)? - cpu_before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("pgbench through {} failed: {}", way.name(), String::from_utf8_lossy(&output.stderr));
    }
    let number = |before: &str| {
        let rest = text.split(before).nth(1).with_context(|| format!("no {before:?} in {text}"))?;
        let digits = rest.split_whitespace().next().unwrap_or_default();
        digits.parse::<f64>().with_context(|| format!("{digits:?} is no number"))
    };
    let transactions = number("number of transactions actually processed: ")?;
    Ok(Round {
        rate: number("tps = ")?,
        latency: number("latency average = ")?,
        cpu: micros(cpu) / transactions.max(1.0),
    })
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn print(mode: &str, clients: u32, rounds: &BTreeMap<&str, Vec<Round>>) {
    let direct = &rounds[Way::Direct.name()];
    for way in Way::ALL {
        let mine = &rounds[way.name()];
        let ratios = mine.iter().zip(direct).map(|(mine, direct)| mine.rate / direct.rate).collect();
        println!(
            "{mode:<9} {clients:>7}  {:<9} {:>9.0} {:>7.2} {:>9.3} {:>10.1}",
            way.name(),
            median(mine.iter().map(|round| round.rate).collect()),
            median(ratios),
            median(mine.iter().map(|round| round.latency).collect()),
            median(mine.iter().map(|round| round.cpu).collect()),
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
