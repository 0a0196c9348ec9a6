//! `cargo xtask chaos`: builds what a chaos run needs, and runs it.

use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

/// Builds and runs; ends as the run does: 0 valid, 1 invalid, 2 unknown.
pub fn run(minutes: u64, more: &[String]) -> anyhow::Result<ExitCode> {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--package", "stationmaster", "--package", "jepsen", "--locked"]);
    ensure!(build.status().context("cannot run cargo")?.success(), "the build failed");
    let mut chaos = Command::new(env!("CARGO"));
    chaos.args(["run", "--quiet", "--package", "jepsen", "--locked", "--", "run", "--seconds"]);
    let status = chaos.arg((minutes * 60).to_string()).args(more).status().context("cannot run cargo")?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(2)))
}
