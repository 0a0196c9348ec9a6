//! The command line: what can be typed, and who does it.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::{
    config::{self, Config, Overrides, Role},
    dev,
    failure::{USAGE, Usage},
    offline, operate, role, secret, simulate,
};

/// A database router: any PostgreSQL client reaches its database through a replicated map.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a whole cluster on this machine
    Dev(dev::Flags),
    /// Run one controller: holds the map
    Controller(RoleFlags),
    /// Run one handler: the front door for clients
    Handler(RoleFlags),
    /// Run one server: serves databases
    Server(RoleFlags),
    #[command(flatten)]
    Operate(operate::Request),
    /// Databases' journals, without any server: inspect, verify, restore
    #[command(subcommand)]
    Journal(offline::Request),
    /// Try placement policies on synthetic or recorded load, without any fleet
    Simulate(simulate::Request),
    /// Configuration files
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The secret that the processes of a fleet share
    #[command(subcommand)]
    Secret(SecretCommand),
}

/// How a role gets its settings: file, then `STATIONMASTER_TABLE__KEY` in the environment, then flags.
#[derive(clap::Args)]
struct RoleFlags {
    /// Its configuration file; without one, environment and flags must say everything
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Override a setting, as KEY=VALUE
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Log as text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Which lines to log, like info,controller=debug
    #[arg(long, value_name = "FILTER")]
    log_filter: Option<String>,
    /// End when standard input closes
    #[arg(long, hide = true)]
    end_with_stdin: bool,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check a file and print every setting as it comes out, with where it comes from
    Check {
        /// A controller's, handler's or server's file
        file: PathBuf,
        /// Override a setting, as KEY=VALUE
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
}

#[derive(Subcommand)]
enum SecretCommand {
    /// Make a new one in a file that only its owner can read
    New {
        /// The file; must not exist
        file: PathBuf,
    },
}

/// Reads the command line and does what it says.
pub fn run() -> anyhow::Result<ExitCode> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            error.print().context("cannot print")?;
            return Ok(ExitCode::from(code));
        }
    };
    match cli.command {
        Command::Dev(flags) => return dev::run(flags),
        Command::Operate(request) => return operate::run(request),
        Command::Journal(request) => return offline::run(request),
        Command::Simulate(request) => return simulate::run(&request),
        Command::Controller(flags) => return play(Role::Controller, flags),
        Command::Handler(flags) => return play(Role::Handler, flags),
        Command::Server(flags) => return play(Role::Server, flags),
        Command::Config(ConfigCommand::Check { file, set }) => {
            let config = load(None, Some(&file), set)?;
            role::check(&config.settings)?;
            print!("{}", config::show(&config.resolved));
        }
        Command::Secret(SecretCommand::New { file }) => {
            secret::create(&file)?;
            println!("made {}; copy it to every process of the fleet, and to nobody else", file.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a controller's configuration file, as it would start.
pub fn controller(file: &Path) -> anyhow::Result<Config> {
    load(Some(Role::Controller), Some(file), Vec::new())
}

fn play(role: Role, flags: RoleFlags) -> anyhow::Result<ExitCode> {
    let log = [("log.format", flags.log_format), ("log.filter", flags.log_filter)];
    let log = log.into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?)));
    let set = flags.set.into_iter().chain(log).collect();
    role::run(load(Some(role), flags.config.as_deref(), set)?, flags.end_with_stdin)
}

/// Reads a configuration file and lays environment and flags over it.
fn load(role: Option<Role>, file: Option<&Path>, set: Vec<String>) -> anyhow::Result<Config> {
    let (path, text) = match file {
        Some(file) => {
            let path = file.display().to_string();
            let text = std::fs::read_to_string(file)
                .map_err(|error| Usage(format!("cannot read {path}: {error}")))?;
            (path, text)
        }
        None => ("without --config".into(), String::new()),
    };
    Ok(config::read(role, &path, &text, &Overrides::from_process(set))?)
}
