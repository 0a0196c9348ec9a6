//! A slow disk: every fdatasync of one process takes longer. strace holds it up, and everything else of it a little.

use std::process::{Child, Command, Stdio};

use anyhow::Context;
use async_trait::async_trait;

use super::{Fault, Made, Stage};
use crate::Step;

/// Longer by so much, in microseconds.
const DELAY_US: u32 = 50_000;

/// See the catalogue.
#[derive(Default)]
pub struct Slow {
    tracer: Option<Child>,
}

#[async_trait(?Send)]
impl Fault for Slow {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let victim = stage.victims(step).await?[0];
        let inject = format!("inject=fdatasync:delay_exit={DELAY_US}");
        let tracer = Command::new("strace")
            .args([
                "-f",
                "-q",
                "-o",
                "/dev/null",
                "-e",
                "trace=fdatasync",
                "-e",
                &inject,
                "-p",
                &victim.pid().to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match tracer {
            Ok(tracer) => self.tracer = Some(tracer),
            Err(error) => return Ok(Made::Skipped(format!("strace: {error}"))),
        }
        Ok(Made::Installed(format!("{}: each fdatasync takes {} ms longer", victim.name(), DELAY_US / 1_000)))
    }

    async fn stop(&mut self, _: &Stage) -> anyhow::Result<()> {
        let Some(mut tracer) = self.tracer.take() else { return Ok(()) };
        // SIGTERM has it let go of the process; one that ended by itself could not hold it.
        if let Some(status) = tracer.try_wait()? {
            anyhow::bail!("strace ended by itself: {status}");
        }
        let pid = rustix::process::Pid::from_child(&tracer);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .context("strace cannot be ended")?;
        tracer.wait().context("strace does not end")?;
        Ok(())
    }
}
