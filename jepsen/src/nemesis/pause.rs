//! SIGSTOP: the process keeps its sockets and does nothing; afterwards it goes on as if nothing had been.

use async_trait::async_trait;

use super::{Fault, Made, Stage};
use crate::Step;

/// See the catalogue.
#[derive(Default)]
pub struct Pause {
    names: Vec<String>,
}

#[async_trait(?Send)]
impl Fault for Pause {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        for process in stage.victims(step).await?.into_iter().filter(|process| process.is_running()) {
            process.pause();
            self.names.push(process.name().to_owned());
        }
        Ok(Made::Installed(self.names.join(" ")))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        for process in stage.named(&self.names).filter(|process| process.is_running()) {
            process.resume();
        }
        Ok(())
    }
}
