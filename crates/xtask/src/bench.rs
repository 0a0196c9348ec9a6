//! Measurements. Figures of an unoptimised build say nothing, so one starts itself again as a release build.

pub mod cluster;
pub mod etcd;
pub mod map;
pub mod relay;
pub mod wire;

use std::process::Command;

use anyhow::{Context, ensure};

/// Runs `work` in a release build of this program.
pub fn optimised(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    if !cfg!(debug_assertions) {
        return work();
    }
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .status()
        .context("cannot start the release build")?;
    ensure!(status.success(), "the release build ended with {status}");
    Ok(())
}
