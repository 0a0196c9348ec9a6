//! What this machine can do.

use std::process::Command;

use crate::nemesis::{Clocks, missing_for_delay};

/// One fault's needs, and whether they are there.
pub struct Capability {
    /// What it is for.
    pub what: &'static str,
    /// `None` when it is there; otherwise what is missing.
    pub missing: Option<String>,
}

/// Looks for everything.
pub fn doctor() -> Vec<Capability> {
    let root = (!rustix::process::geteuid().is_root()).then(|| "root".to_owned());
    let ip = root.clone().or_else(|| lacks("ip")).or_else(|| lacks("iptables"));
    let disks = root.clone().or_else(|| lacks("mkfs.ext4")).or_else(|| lacks("losetup"));
    vec![
        Capability { what: "kill, pause, rolling, move, drain, members", missing: None },
        Capability { what: "partition, loss (namespaces)", missing: ip.clone() },
        Capability { what: "delay (namespaces, NFQUEUE)", missing: ip.clone().or_else(missing_for_delay) },
        Capability { what: "power cut, full and failing disk (loop ext4)", missing: disks },
        Capability { what: "slow disk (strace)", missing: lacks("strace") },
        Capability { what: "clock jump and rate (LD_PRELOAD)", missing: Clocks::missing() },
    ]
}

/// The name of a program that is not on the path.
fn lacks(program: &str) -> Option<String> {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    (!found.is_ok_and(|found| found.status.success())).then(|| format!("the program {program}"))
}
