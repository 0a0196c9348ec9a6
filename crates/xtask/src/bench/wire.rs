//! The wire's own benchmark, which cargo builds with optimisation by itself.

use std::process::Command;

use anyhow::{Context, ensure};

/// Prints nanoseconds for each kind of message.
pub fn run() -> anyhow::Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(["bench", "--quiet", "--package", "wire", "--bench", "messages"])
        .status()
        .context("cannot run cargo bench")?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}
