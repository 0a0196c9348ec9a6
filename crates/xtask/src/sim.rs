//! `cargo xtask sim`: builds the simulation and runs it.

use std::process::{Command, ExitCode};

use anyhow::Context;

#[derive(clap::Args)]
pub struct Args {
    /// How many seeds
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first one
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Plant a bug: expired, fence, flush, lease, outcome, read-index, replay or route
    #[arg(long, value_name = "BUG")]
    sabotage: Option<String>,
    /// Plant each bug in turn, and try so many seeds until an invariant catches it
    #[arg(long, conflicts_with = "sabotage")]
    catch: bool,
    /// Print everything that happens with one seed
    #[arg(long)]
    trace: bool,
}

/// Builds and runs; ends as the run does: 0 valid, 1 invalid, 2 unknown.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let built = build().status().context("cannot run cargo")?;
    if !built.success() {
        return Ok(ExitCode::from(2));
    }
    let status = command(args)?.status().context("cannot run the simulation")?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(2)))
}

/// One build for all uses: bugs are in it, and planted only where they are named. For the whole workspace, so that the
/// crates of others are those that its tests are built with.
fn build() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--workspace", "--bin", "sim", "--features", "sabotage", "--locked"]);
    command
}

fn command(args: &Args) -> anyhow::Result<Command> {
    // Beside this program.
    let mut command = Command::new(std::env::current_exe()?.with_file_name("sim"));
    command.args(["--seeds", &args.seeds.to_string(), "--seed", &args.seed.to_string()]);
    command.args(args.sabotage.iter().flat_map(|bug| ["--sabotage", bug]));
    command.args(args.catch.then_some("--catch")).args(args.trace.then_some("--trace"));
    Ok(command)
}
