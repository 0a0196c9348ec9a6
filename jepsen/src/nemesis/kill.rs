//! kill -9.

use async_trait::async_trait;

use super::{Fault, Made, Stage};
use crate::Step;

/// See the catalogue.
#[derive(Default)]
pub struct Kill {
    names: Vec<String>,
}

#[async_trait(?Send)]
impl Fault for Kill {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        for process in stage.victims(step).await? {
            process.kill();
            self.names.push(process.name().to_owned());
        }
        Ok(Made::Installed(self.names.join(" ")))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        for process in stage.named(&self.names) {
            process.start();
        }
        Ok(())
    }
}
