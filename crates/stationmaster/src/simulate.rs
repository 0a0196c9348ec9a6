//! `stationmaster simulate`: tries placement policies on synthetic or recorded load, without any fleet.

use std::{
    fs::{self, File},
    io::{BufReader, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use model::placement::Settings;
use simulator::{Bound, Kind, Point, Recorded, Report, Scenario, Stored, VERSION, Workload, World};

use crate::failure::Usage;

/// What to try, on what, and how to tell of it.
#[derive(Args)]
pub struct Request {
    /// w1, w2, w3, w4 or all: how load is spread, and how full the fleet is
    #[arg(long, default_value = "w1", value_name = "WORKLOAD")]
    workload: String,
    /// How many databases
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    databases: u32,
    /// How many servers
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(8..=10_000))]
    servers: u32,
    /// How many seeds; a single one says little
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// How many days to measure, after one to settle in
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=60))]
    days: u32,
    /// Policies by name, separated by commas. Default: all but variants of ours; `help` tells them
    #[arg(long, value_name = "NAMES")]
    policy: Option<String>,
    /// Change a setting of our policy; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Draw the load over time to this file, of the first workload and seed
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Recorded load instead: files of the Azure Functions trace (invocations per minute), one for each day
    #[arg(long, value_name = "FILE", num_args = 1..)]
    azure: Vec<PathBuf>,
    /// Compare with stored figures, and fail where they differ
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// Only measure how long a round of our policy takes for so many databases and servers
    #[arg(long)]
    bench_pass: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Does it.
pub fn run(request: &Request) -> anyhow::Result<ExitCode> {
    if request.policy.as_deref() == Some("help") {
        for kind in Kind::ALL {
            println!("{:<28}  {}", kind.name(), kind.describe());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut settings = Settings::default();
    for text in &request.set {
        simulator::set(&mut settings, text).map_err(Usage)?;
    }
    let workloads = workloads(&request.workload)?;
    if request.bench_pass {
        bench_pass(request, &settings, workloads[0]);
        return Ok(ExitCode::SUCCESS);
    }
    let kinds = kinds(request.policy.as_deref())?;
    let stored = request.check.as_deref().map(read_stored).transpose()?;
    let recorded = read_recorded(&request.azure)?;
    let report = simulate(request, &workloads, &kinds, &settings, recorded.as_ref())?;
    match request.format {
        Format::Table => print!("{}", simulator::table(&report)),
        Format::Json => println!("{}", serde_json::to_string_pretty(&report)?),
    }
    let wrong = stored.map(|stored| stored.check(&report)).unwrap_or_default();
    for line in &wrong {
        eprintln!("not as stored: {line}");
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn simulate(
    request: &Request,
    workloads: &[Workload],
    kinds: &[Kind],
    settings: &Settings,
    recorded: Option<&Recorded>,
) -> anyhow::Result<Report> {
    let databases = recorded.map_or(request.databases as usize, Recorded::databases);
    let mut report = Report {
        version: VERSION,
        databases,
        servers: request.servers as usize,
        days: request.days,
        ..Report::default()
    };
    let mut svg = request.svg.as_deref();
    for workload in workloads {
        for seed in request.first_seed..request.first_seed.saturating_add(request.seeds) {
            let scenario = scenario(request, *workload, databases, seed);
            let world = match recorded {
                Some(recorded) => World::replaying(recorded.clone(), &scenario),
                None => World::new(&scenario),
            };
            let outcome = simulator::run(world, &scenario, kinds, settings, |hours| {
                if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
                    let all = scenario.minutes() / 60;
                    eprint!("\r{}, seed {seed}: hour {hours} of {all} ", workload.name());
                    // Only shows how far it is.
                    let _ = std::io::stderr().flush();
                }
            });
            if let Some(file) = svg.take() {
                draw(file, &scenario, kinds, &outcome.courses)?;
            }
            let workload = workload.name().to_owned();
            report.bounds.push(Bound { workload, seed, round_trip_ms: outcome.bound_ms });
            report.runs.extend(outcome.figures);
        }
    }
    if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        eprintln!();
    }
    report.judge();
    Ok(report)
}

fn scenario(request: &Request, workload: Workload, databases: usize, seed: u64) -> Scenario {
    Scenario { workload, databases, servers: request.servers as usize, days: request.days, seed }
}

fn bench_pass(request: &Request, settings: &Settings, workload: Workload) {
    const ROUNDS: u32 = 21;
    let scenario = scenario(request, workload, request.databases as usize, request.first_seed);
    let pass = simulator::pass(&scenario, ROUNDS, settings);
    match request.format {
        Format::Table => println!(
            "one pass over {} databases and {} servers: median {:.1} ms, {:.1} to {:.1} ms, in {} rounds with {} moves\n\
             writing loads, owners and clients into its arrays before: median {:.1} ms",
            request.databases,
            request.servers,
            pass.plan_ms,
            pass.plan_ms_least,
            pass.plan_ms_max,
            pass.rounds,
            pass.moves,
            pass.look_ms
        ),
        Format::Json => println!(
            "{}",
            serde_json::json!({
                "version": VERSION, "databases": request.databases, "servers": request.servers,
                "plan_ms": pass.plan_ms, "plan_ms_least": pass.plan_ms_least, "plan_ms_max": pass.plan_ms_max, "look_ms": pass.look_ms,
                "moves": pass.moves, "rounds": pass.rounds,
            })
        ),
    }
}

fn draw(file: &Path, scenario: &Scenario, kinds: &[Kind], courses: &[Vec<Point>]) -> anyhow::Result<()> {
    let Scenario { workload, databases, servers, seed, .. } = scenario;
    let title = format!(
        "Load of servers: {} ({}), {databases} databases, {servers} servers, seed {seed}",
        workload.name(),
        workload.describe()
    );
    let panels: Vec<(String, &[Point])> =
        kinds.iter().zip(courses).map(|(kind, course)| (kind.name().to_owned(), course.as_slice())).collect();
    fs::write(file, simulator::chart(&title, &panels))
        .with_context(|| format!("cannot write {}", file.display()))
}

fn workloads(text: &str) -> Result<Vec<Workload>, Usage> {
    match text {
        "all" => Ok(Workload::ALL.to_vec()),
        text => text.split(',').map(str::parse).collect::<Result<_, _>>().map_err(Usage),
    }
}

fn kinds(text: Option<&str>) -> Result<Vec<Kind>, Usage> {
    match text {
        None => Ok(Kind::USUAL.to_vec()),
        Some(text) => text.split(',').map(str::parse).collect::<Result<_, _>>().map_err(Usage),
    }
}

fn read_stored(file: &Path) -> anyhow::Result<Stored> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| Usage(format!("cannot read {name}: {error}")))?;
    let stored = serde_json::from_str(&text);
    Ok(stored.map_err(|error| Usage(format!("{name} holds no stored figures: {error}")))?)
}

fn read_recorded(files: &[PathBuf]) -> anyhow::Result<Option<Recorded>> {
    if files.is_empty() {
        return Ok(None);
    }
    let mut recorded = Recorded::default();
    for file in files {
        let name = file.display();
        let open = File::open(file).map_err(|error| Usage(format!("cannot read {name}: {error}")))?;
        recorded.read(BufReader::new(open)).map_err(|error| {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Usage(format!("{name}: {error}{cause}"))
        })?;
    }
    Ok(Some(recorded))
}
