//! `cargo xtask chaos`: builds what a chaos run needs, and runs it.

use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};

/// What a run ends with when nobody knows: see jepsen/README.md.
const UNKNOWN: u8 = 2;

/// Builds and runs; ends as the run does: 0 valid, 1 invalid, 2 unknown, 64 called wrongly. What cannot be built is unknown.
pub fn run(minutes: u64, more: &[String]) -> ExitCode {
    let code = attempt(minutes, more).map(code).unwrap_or_else(|error| {
        eprintln!("cargo xtask chaos: {error:#}");
        UNKNOWN
    });
    ExitCode::from(code)
}

/// What the run ended with; nothing when it was killed.
fn attempt(minutes: u64, more: &[String]) -> anyhow::Result<Option<i32>> {
    let mut build = Command::new(env!("CARGO"));
    build.args([
        "build",
        "--package",
        "stationmaster",
        "--package",
        "jepsen",
        "--package",
        "clock",
        "--locked",
    ]);
    ensure!(build.status().context("cannot run cargo")?.success(), "the build failed");
    let mut chaos = Command::new(env!("CARGO"));
    chaos.args(["run", "--quiet", "--package", "jepsen", "--locked", "--", "run", "--seconds"]);
    let status = chaos.arg(minutes.saturating_mul(60).to_string()).args(more).status();
    Ok(status.context("cannot run cargo")?.code())
}

/// The run's own codes; all others are cargo's, or of a process that was killed.
fn code(of_run: Option<i32>) -> u8 {
    match of_run {
        Some(0) => 0,
        Some(1) => 1,
        Some(64) => 64,
        Some(_) | None => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_run_itself_says_valid_or_invalid_c21() {
        for (of_run, expected) in
            [(Some(0), 0), (Some(1), 1), (Some(2), 2), (Some(64), 64), (Some(101), 2), (None, 2)]
        {
            assert_eq!(code(of_run), expected);
        }
    }
}
