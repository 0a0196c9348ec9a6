//! Who makes the faults: one file for each kind, and this catalogue of them.

mod clock;
mod command;
mod delay;
mod disk;
mod kill;
mod network;
mod operator;
mod partition;
mod pause;
mod slow;
mod stage;

use async_trait::async_trait;

use crate::Step;
pub use clock::Clocks;
pub use command::{ANSWER_TIMEOUT, Foreign};
pub use delay::missing as missing_for_delay;
pub use disk::Disks;
pub use network::Network;
pub use stage::Stage;

/// A kind of fault.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in plans and on the command line.
    pub name: &'static str,
    /// Whom it can hit.
    pub targets: &'static [&'static str],
    /// What it does, in one line.
    pub does: &'static str,
}

/// All kinds.
pub const CATALOG: &[Kind] = &[
    Kind {
        name: "kill",
        targets: &["leader", "controller", "controllers", "handler", "owner", "server", "servers", "all"],
        does: "kill -9, started again at its end",
    },
    Kind {
        name: "pause",
        targets: &["leader", "controller", "handler", "owner", "server"],
        does: "SIGSTOP, SIGCONT at its end",
    },
    Kind { name: "rolling", targets: &["all"], does: "SIGTERM and a new start, one process after the other" },
    Kind { name: "move", targets: &["owner"], does: "databases are moved to other servers, again and again" },
    Kind { name: "drain", targets: &["owner"], does: "a server is emptied, and let be at its end" },
    Kind {
        name: "members",
        targets: &["leader", "controller"],
        does: "a fourth controller joins the fleet, and leaves it at its end; with `leader` it leads meanwhile",
    },
    Kind {
        name: "partition",
        targets: &["leader", "controller", "owner", "stale", "halves", "bridge", "one-way", "ring"],
        does: "networks are cut: the leader from the other controllers; a controller from all; an owner from the controllers; \
               an owner and a handler from all else; halves; halves with a bridge; a leader that hears nobody; a ring",
    },
    Kind { name: "loss", targets: &["all"], does: "a fifth of all packets among processes is lost" },
    Kind {
        name: "delay",
        targets: &["all", "leader"],
        does: "packets from other processes come late, by 10 to 90 ms; none overtakes another",
    },
    Kind {
        name: "clock-jump",
        targets: &["leader", "controllers", "handler", "owner", "server"],
        does: "wall clocks jump by an hour, ahead or back, and return at its end",
    },
    Kind {
        name: "clock-rate",
        targets: &["leader", "controllers", "handler", "owner", "server"],
        does: "all clocks of a process run at another rate: controllers' slower, others' faster, or either within 0.03 %",
    },
    Kind {
        name: "power",
        targets: &["journal", "controllers", "leader", "all"],
        does: "power cut: what was not synced is gone, and so are the processes that work on the disk",
    },
    Kind {
        name: "disk-fails",
        targets: &["journal", "leader"],
        does: "all IO fails, what was not synced is gone; another disk and new processes at its end",
    },
    Kind { name: "disk-full", targets: &["journal", "controllers"], does: "no room on the disk" },
    Kind { name: "disk-slow", targets: &["leader", "owner"], does: "each fdatasync takes 50 ms longer" },
];

/// Faults that need a network of their own for every process.
pub const ON_NETWORKS: &[&str] = &["partition", "loss", "delay"];

/// Faults that need clocks of their own.
pub const ON_CLOCKS: &[&str] = &["clock-jump", "clock-rate"];

/// Faults that need disks of their own.
pub const ON_DISKS: &[&str] = &["power", "disk-fails", "disk-full"];

/// What came of starting a fault.
pub enum Made {
    /// It is there; whom it hit.
    Installed(String),
    /// It cannot be made here; why.
    Skipped(String),
}

/// A fault that can be made and taken back. `stop` comes after `start`, once, whatever that came to.
#[async_trait(?Send)]
pub trait Fault {
    /// Makes it, on a stage that [lacks](Stage::lacks) nothing for it.
    ///
    /// An error is a failure of the harness: nobody knows then whether the fault is there.
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made>;

    /// Takes it back.
    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()>;
}

/// The fault of a step.
///
/// # Errors
/// When there is none of that name.
pub fn fault(step: &Step) -> anyhow::Result<Box<dyn Fault>> {
    Ok(match &*step.fault {
        "kill" => Box::new(kill::Kill::default()),
        "pause" => Box::new(pause::Pause::default()),
        "rolling" => Box::new(operator::Rolling),
        "move" => Box::new(operator::Move::default()),
        "drain" => Box::new(operator::Drain::default()),
        "members" => Box::new(operator::Members::default()),
        "partition" => Box::new(partition::Partition),
        "loss" => Box::new(partition::Loss),
        "delay" => Box::new(delay::Delay::default()),
        "clock-jump" => Box::new(clock::Jump::default()),
        "clock-rate" => Box::new(clock::Rate::default()),
        "power" => Box::new(disk::Gone::new(true)),
        "disk-fails" => Box::new(disk::Gone::new(false)),
        "disk-full" => Box::new(disk::Full),
        "disk-slow" => Box::new(slow::Slow::default()),
        other => anyhow::bail!("there is no fault {other}"),
    })
}

/// Does all of it, whatever becomes of each.
///
/// # Errors
/// All that went wrong, in one.
pub fn each(done: impl IntoIterator<Item = anyhow::Result<()>>) -> anyhow::Result<()> {
    let wrong = done.into_iter().filter_map(Result::err).map(|error| format!("{error:#}"));
    let wrong: Vec<String> = wrong.collect();
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_keeps_nothing_else_from_being_done() {
        let mut done = 0;
        let steps = [Ok(()), Err(anyhow::anyhow!("first")), Err(anyhow::anyhow!("second")), Ok(())];
        let error = each(steps.into_iter().inspect(|_| done += 1)).expect_err("two failed");
        assert_eq!((done, error.to_string().as_str()), (4, "first; second"));
    }
}
