//! Measurements of whole clusters: examples of the package `tests`, which knows how to run real processes, or of another.

use std::process::Command;

use anyhow::{Context, ensure};

use super::slow_sync;

/// Runs one of them, all of it optimised.
pub fn run(example: &str, arguments: &[u64]) -> anyhow::Result<()> {
    run_of("tests", example, arguments)
}

/// Runs one of a package, with every sync of every process so many microseconds longer.
pub fn run_on_slower_disk(
    package: &str,
    example: &str,
    arguments: &[u64],
    sync_us: u64,
) -> anyhow::Result<()> {
    let mut command = command(package, example, arguments);
    slow_sync::prepare(&mut command, sync_us)?;
    finish(command, example)
}

/// Runs one of a package, all of it optimised.
pub fn run_of(package: &str, example: &str, arguments: &[u64]) -> anyhow::Result<()> {
    finish(command(package, example, arguments), example)
}

fn command(package: &str, example: &str, arguments: &[u64]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--release", "--package", package, "--example", example, "--"])
        .args(arguments.iter().map(u64::to_string));
    command
}

fn finish(mut command: Command, example: &str) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run the measurement {example}"))?;
    ensure!(status.success(), "the measurement {example} ended with {status}");
    Ok(())
}
