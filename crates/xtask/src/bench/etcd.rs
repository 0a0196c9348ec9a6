//! The map beside etcd. The measurement is an example of the package `tests`; this makes sure that there is an etcd.

use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use super::cluster;

/// Installs etcd if need be, measures both, and prints.
pub fn run(rounds: u64, seconds: u64) -> anyhow::Result<()> {
    ensure!(
        rounds > 0 && seconds > 0,
        "at least one round of a second: there is nothing to compare otherwise"
    );
    if !installed() {
        install().context("bench etcd needs the program etcd; on Debian: apt-get install etcd-server")?;
    }
    cluster::run("etcd", &[rounds, seconds])
}

fn installed() -> bool {
    let asked = Command::new("etcd").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn install() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("it is not installed, and installing it takes root");
    }
    println!("installing Debian's etcd-server");
    apt(&["update", "--quiet=2"])?;
    apt(&["install", "--yes", "--quiet=2", "--no-install-recommends", "etcd-server"])?;
    ensure!(installed(), "it was installed, and yet cannot be run");
    Ok(())
}

fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    // At run level 1 the package does not start its service, which nobody asked for.
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    let status = command.status().context("apt-get cannot be started")?;
    ensure!(status.success(), "apt-get {} ended with {status}", arguments[0]);
    Ok(())
}
