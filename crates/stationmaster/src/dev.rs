//! `stationmaster dev`: a whole cluster on loopback, each process a real child of this one.
//!
//! It writes a configuration file for each process and starts it as an operator would; nothing of it is special.
//! What it adds is free of decisions about databases: ports, files, restarts and the first user.

mod backoff;
mod boot;
mod child;
mod folder;
mod greeting;
mod keeper;
mod plan;
mod probe;
mod record;
mod stop;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{config::LOG_FILTER, failure, signals::Signals};

pub use folder::{JOURNAL, SECRET};
pub use record::Record;

use folder::Folder;
use greeting::Greeting;
use keeper::{Event, Fleet, What};
use plan::{Plan, Planned};

/// Where the cluster is kept unless said otherwise.
pub const DIR: &str = "stationmaster-dev";

/// How long everything may take to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// What can be said on the command line.
#[derive(clap::Args, Clone, Debug)]
pub struct Flags {
    /// Controllers, 1 to 9; fixed once the cluster exists [default: 3]
    #[arg(long, value_name = "N")]
    controllers: Option<u16>,
    /// Handlers, 1 to 64 [default: 2]
    #[arg(long, value_name = "N")]
    handlers: Option<u16>,
    /// Servers, 1 to 64 [default: 3]
    #[arg(long, value_name = "N")]
    servers: Option<u16>,
    /// Where everything is kept: a second start with the same folder finds it again
    #[arg(long, env = "STATIONMASTER_DIR", value_name = "DIR", default_value = DIR)]
    dir: PathBuf,
    /// Added to every port, so that several clusters fit on one machine; fixed once the cluster exists [default: 0]
    #[arg(long, value_name = "N")]
    port_offset: Option<u16>,
    /// Leave a process dead when it dies
    #[arg(long)]
    no_restart: bool,
    /// How the processes log: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: String,
    /// Which lines they log, like info,controller=debug
    #[arg(long, value_name = "FILTER", default_value = LOG_FILTER)]
    log_filter: String,
}

/// Runs a cluster until it is told to stop.
pub fn run(flags: Flags) -> anyhow::Result<ExitCode> {
    // One thread: children are bound to the thread that made them, and this one lives as long as the process.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(cluster(flags))
}

async fn cluster(flags: Flags) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let mut signals = Signals::listen()?;
    let before = Record::load(&flags.dir)?;
    let record = Record::decide(before, &flags)?;
    let folder = Folder::open(&flags.dir)?;
    let (plan, left_out) = Plan::new(&record, &folder, &flags).leave_out(&folder)?;
    left_out.iter().for_each(|planned| say_left_out(&planned.name, &folder));
    plan.check_ports()?;
    let password = folder.prepare(&record, &plan)?;

    let (events, mut happened) = mpsc::unbounded_channel();
    let fleet = Fleet::start(&plan, &folder, !flags.no_restart, &events);
    let ready = tokio::select! {
        ready = timeout(READY_TIMEOUT, boot::until_ready(&plan, &folder, &password)) => ready.unwrap_or_else(|_| {
            bail!("the cluster was not ready within {READY_TIMEOUT:?}")
        }),
        error = boot::watch(&mut happened, &folder) => Err(error),
        () = signals.next() => {
            println!("stopping before the cluster was ready");
            stop::all(fleet, &mut signals).await;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let first = match ready {
        Ok(first) => first,
        Err(error) => {
            let unready = boot::unready(&plan).await;
            stop::all(fleet, &mut signals).await;
            let (causes, logs) = (failure::causes(&error), folder.logs());
            bail!("the cluster did not start: {causes}{unready}\n  the logs are in {}", logs.display());
        }
    };
    let greeting =
        Greeting { plan: &plan, folder: &folder, fleet: &fleet, password: &password, database: first };
    greeting.print(began.elapsed())?;
    loop {
        tokio::select! {
            event = happened.recv() => tell(&event.context("BUG: this function holds a sender")?, &folder),
            () = signals.next() => break,
        }
    }
    println!("stopping; once more ends everything at once");
    stop::all(fleet, &mut signals).await;
    println!("stopped; the data stays in {}", folder.shown());
    Ok(ExitCode::SUCCESS)
}

/// Says why a controller is not there, and what would bring it back.
fn say_left_out(name: &str, folder: &Folder) {
    let dir = folder.shown();
    println!(
        "{name} was removed from the fleet, and is left out; to have it join again, empty {dir}/{name}, run \
         `stationmaster controller --config {dir}/config/{name}.toml`, and add it with `stationmaster controllers add`"
    );
}

/// Says what became of a child.
fn tell(event: &Event, folder: &Folder) {
    let name = &event.name;
    match &event.what {
        What::Started { pid, restarts: 0 } => println!("{name} runs as {pid}"),
        What::Started { pid, restarts } => println!("{name} runs again, as {pid} (restart {restarts})"),
        What::Removed => say_left_out(name, folder),
        What::Ended { how, again: Some(pause) } => println!("{name} {how}; starting it again in {pause:?}"),
        What::Ended { how, again: None } => println!("{name} {how}; it stays dead (--no-restart)"),
        What::NotStarted { error, again } => {
            println!("{name} could not be started ({error}); again in {again:?}")
        }
    }
}
