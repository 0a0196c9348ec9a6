//! Measurements of whole clusters: examples of the package `tests`, which knows how to run real processes, or of another.

use std::process::Command;

use anyhow::{Context, ensure};

/// Runs one of them, all of it optimised.
pub fn run(example: &str, arguments: &[u64]) -> anyhow::Result<()> {
    run_of("tests", example, arguments)
}

/// Runs one of a package, all of it optimised.
pub fn run_of(package: &str, example: &str, arguments: &[u64]) -> anyhow::Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "--package", package, "--example", example, "--"])
        .args(arguments.iter().map(u64::to_string))
        .status()
        .with_context(|| format!("cannot run the measurement {example}"))?;
    ensure!(status.success(), "the measurement {example} ended with {status}");
    Ok(())
}
