//! `stationmaster-jepsen`: chaos runs, and what can be done with what they leave.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, ensure};
use clap::{Args, Parser};
use history::{History, Verdict};
use jepsen::{
    CATALOG, Described, Extras, Options, Place, Plan, Summary, WORKLOADS, check, doctor, interrupted, run,
    write_report,
};

/// Chaos for Stationmaster: faults, recorded histories, verdicts.
///
/// Ends with 0 when the verdict is valid, 1 when it is invalid, 2 when it is unknown or the run failed or was interrupted,
/// and 64 when it was called wrongly.
#[derive(Parser)]
#[command(name = "stationmaster-jepsen", version)]
enum Command {
    /// Run clients under faults, and judge what they were told
    Run(Run),
    /// Print the plan that a run would have
    Plan(Planned),
    /// Judge a stored history
    Check {
        /// The workload that made it
        #[arg(long, value_parser = WORKLOADS.to_vec())]
        workload: String,
        /// EDN, as Jepsen writes it
        file: PathBuf,
    },
    /// Make the page of a run again
    Report {
        /// The directory of the run
        directory: PathBuf,
    },
    /// Print the faults and what they do
    Faults,
    /// Print what this machine can do
    Doctor,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    planned: Planned,
    /// Run this plan (plan.json of an earlier run) instead of one from the seed
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Run on the cluster that this file describes, without faults of our own
    #[arg(long, value_name = "FILE")]
    cluster: Option<PathBuf>,
    /// Have this shell command make the faults: it reads and writes JSON lines (see jepsen/README.md)
    #[arg(long, value_name = "COMMAND")]
    nemesis_command: Option<String>,
    /// Plant this bug into every process; needs a stationmaster that was built with `--features sabotage`
    #[arg(long, value_name = "NAME")]
    sabotage: Option<String>,
    /// How long it may take until everything is well again after the last fault, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    recovery_seconds: u64,
    /// Where plan, histories, summary and report go
    #[arg(long, value_name = "DIRECTORY", default_value = "chaos")]
    out: PathBuf,
}

#[derive(Args)]
struct Planned {
    /// What the plan is made of; one of chance by default
    #[arg(long)]
    seed: Option<u64>,
    /// How long clients work, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Faults, `fault` or `fault:target`, with commas between; `none` for none; all by default
    #[arg(long, value_delimiter = ',')]
    faults: Vec<String>,
    /// Workloads, with commas between; all by default
    #[arg(long, value_delimiter = ',')]
    workloads: Vec<String>,
    /// Operations a second, of all workloads together
    #[arg(long, default_value_t = 120)]
    rate: u64,
}

impl Planned {
    fn plan(&self, foreign: bool) -> anyhow::Result<Plan> {
        let seed = self.seed.unwrap_or_else(rand::random);
        let (faults, workloads) = (self.faults.clone(), self.workloads.clone());
        let (seconds, rate) = (self.seconds, self.rate);
        Plan::new(&Options { seed, seconds, faults, workloads, rate, foreign })
    }
}

fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => {
            // Help and version are no errors.
            let code = if error.use_stderr() { 64 } else { 0 };
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    let (code, error) = match go(command) {
        Ok(Ok(code)) => return code,
        Ok(Err(error)) => (2, error),
        Err(error) => (64, error),
    };
    eprintln!("stationmaster-jepsen: {error:#}");
    ExitCode::from(code)
}

/// The outer error is of whoever called: arguments, plans and files that cannot be meant. The inner one is of all that
/// comes after.
fn go(command: Command) -> anyhow::Result<anyhow::Result<ExitCode>> {
    match command {
        Command::Run(run) => {
            let (plan, place) = (run.plan()?, run.place()?);
            Ok(start(&run, plan, place))
        }
        Command::Plan(planned) => {
            println!("{}", serde_json::to_string_pretty(&planned.plan(false)?)?);
            Ok(Ok(ExitCode::SUCCESS))
        }
        Command::Check { workload, file } => {
            let history = History::from_edn(&text(&file)?)
                .with_context(|| format!("{} is no history", file.display()))?;
            let finding = check(&workload, &history)?;
            println!("{} {workload}: {}", finding.verdict, finding.looked_at);
            finding.wrong.iter().for_each(|wrong| println!("  {wrong}"));
            Ok(Ok(code(&finding.verdict.to_string())))
        }
        Command::Report { directory } => {
            let file = directory.join("summary.json");
            let summary: Summary = serde_json::from_str(&text(&file)?)
                .with_context(|| format!("{} is no summary", file.display()))?;
            let page = directory.join("report.html");
            Ok(write_report(&summary, &page).map(|()| {
                println!("{}", page.display());
                ExitCode::SUCCESS
            }))
        }
        Command::Faults => {
            for fault in CATALOG {
                println!("{:<12} {}\n             on {}", fault.name, fault.does, fault.targets.join(", "));
            }
            Ok(Ok(ExitCode::SUCCESS))
        }
        Command::Doctor => {
            for capability in doctor() {
                let missing = capability.missing.map(|missing| format!("no: needs {missing}"));
                println!("{:<48} {}", capability.what, missing.as_deref().unwrap_or("yes"));
            }
            Ok(Ok(ExitCode::SUCCESS))
        }
    }
}

fn text(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

impl Run {
    fn plan(&self) -> anyhow::Result<Plan> {
        let foreign = self.nemesis_command.is_some();
        let mut plan = match &self.plan {
            None => self.planned.plan(foreign)?,
            Some(file) => {
                let plan: Plan = serde_json::from_str(&text(file)?)
                    .with_context(|| format!("{} is no plan", file.display()))?;
                plan.checked(foreign).with_context(|| format!("{} cannot be run", file.display()))?
            }
        };
        if self.cluster.is_some() && !foreign {
            plan.steps.clear();
        }
        Ok(plan)
    }

    fn place(&self) -> anyhow::Result<Place> {
        let Some(file) = &self.cluster else { return Ok(Place::Own) };
        ensure!(self.sabotage.is_none(), "--sabotage is for clusters of our own, not for --cluster");
        Ok(Place::Attached(Described::read(file)?.target()?))
    }
}

fn start(asked: &Run, plan: Plan, place: Place) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let extras = Extras {
        nemesis_command: asked.nemesis_command.clone(),
        sabotage: asked.sabotage.clone(),
        recovery: Duration::from_secs(asked.recovery_seconds),
    };
    let ended = runtime.block_on(async {
        // Before anything is put up: much of that is done in one go.
        let interrupted = interrupted().context("signals cannot be heard")?;
        println!("seed {}", plan.seed);
        tokio::select! {
            summary = run(&plan, place, extras, &asked.out) => summary.map(Some),
            () = interrupted => Ok(None),
        }
    });
    // The last tasks that hold the cluster end with it; then everything is taken down.
    drop(runtime);
    let summary = ended?.context("interrupted; everything that was put up is taken down")?;
    for finding in &summary.findings {
        println!("{:<8} {:<9} {}", finding.verdict, finding.checker, finding.looked_at);
        finding.wrong.iter().for_each(|wrong| println!("                   {wrong}"));
    }
    summary.left_out.iter().for_each(|why| println!("left out {why}"));
    println!("{}; {}", summary.verdict, asked.out.join("report.html").display());
    Ok(code(&summary.verdict))
}

fn code(verdict: &str) -> ExitCode {
    match verdict {
        verdict if verdict == Verdict::Valid.to_string() => ExitCode::SUCCESS,
        verdict if verdict == Verdict::Invalid.to_string() => ExitCode::from(1),
        _ => ExitCode::from(2),
    }
}
