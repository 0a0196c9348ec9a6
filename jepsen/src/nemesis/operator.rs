//! What operators do on a bad day: restarts in turn, moves, drains, other controllers.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use model::ControllerId;
use rpc::controller::{ControllerInfo, ControllersChange, DatabaseRef, Operation};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{Fault, Made, Stage};
use crate::Step;

/// Every process is ended in order and started again, one after the other.
pub struct Rolling;

#[async_trait(?Send)]
impl Fault for Rolling {
    async fn start(&mut self, stage: &Stage, _: &Step) -> anyhow::Result<Made> {
        for process in stage.processes() {
            if process.is_running() {
                process.terminate().await;
            }
            process.start();
            process.ready().await;
        }
        Ok(Made::Installed("every process in turn".into()))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        // Where it went wrong in the middle.
        stage.start_again();
        Ok(())
    }
}

/// Databases are moved, as fast as that goes.
#[derive(Default)]
pub struct Move {
    moving: Option<JoinHandle<(u64, u64)>>,
}

#[async_trait(?Send)]
impl Fault for Move {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let servers: Vec<String> =
            stage.cluster.servers.iter().map(|server| server.name().to_owned()).collect();
        let databases = stage.databases.clone();
        let (cluster, end) = (stage.cluster.clone(), Instant::now() + Duration::from_millis(step.for_ms));
        let pick = step.pick as usize;
        self.moving = Some(tokio::spawn(async move {
            let operator = cluster.rpc();
            let (mut done, mut refused) = (0, 0);
            for at in (pick..).take_while(|_| Instant::now() < end) {
                let database = DatabaseRef::parse(&databases[at % databases.len()]);
                let server = servers[at / databases.len() % servers.len()].clone();
                let operation = Operation::MoveDatabase { database, server };
                match operator.operate(model::RequestId(rand::random()), operation).await {
                    Ok(_) => done += 1,
                    Err(_) => refused += 1,
                }
            }
            (done, refused)
        }));
        Ok(Made::Installed("all databases in turn".into()))
    }

    async fn stop(&mut self, _: &Stage) -> anyhow::Result<()> {
        if let Some(moving) = self.moving.take() {
            let (done, _) = moving.await.context("the mover panicked")?;
            anyhow::ensure!(done > 0, "nothing could be moved");
        }
        Ok(())
    }
}

/// A server is emptied.
#[derive(Default)]
pub struct Drain {
    server: Option<String>,
}

#[async_trait(?Send)]
impl Fault for Drain {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let server = stage.victims(step).await?[0].name().to_owned();
        self.server = Some(server.clone());
        stage.operate(Operation::DrainServer { server: server.clone(), draining: true }).await?;
        Ok(Made::Installed(server))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        match self.server.take() {
            Some(server) => stage.operate(Operation::DrainServer { server, draining: false }).await,
            None => Ok(()),
        }
    }
}

/// One more controller joins the fleet, and leaves it again; in between it may lead.
#[derive(Default)]
pub struct Members {
    joined: bool,
}

impl Members {
    /// Repeats the wish until it is so, as the command line does.
    async fn change(
        stage: &Stage,
        wish: &ControllersChange,
        reached: impl Fn(&[ControllerInfo]) -> bool,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + Duration::from_secs(60);
        let mut last = String::new();
        while Instant::now() < end {
            if let Err(error) = stage.operate(Operation::ChangeControllers(wish.clone())).await {
                last = format!("{error:#}");
            }
            match stage.list().await {
                Ok(list) if reached(&list) => return Ok(()),
                Ok(list) => last = format!("{last}; {list:?}"),
                Err(error) => last = format!("{last}; {error:#}"),
            }
            sleep(Duration::from_millis(300)).await;
        }
        anyhow::bail!("{wish:?} was not reached in 60 s: {last}")
    }
}

#[async_trait(?Send)]
impl Fault for Members {
    async fn start(&mut self, stage: &Stage, step: &Step) -> anyhow::Result<Made> {
        let Some(spare) = stage.spare else {
            return Ok(Made::Skipped("there is no controller to spare".into()));
        };
        let (process, address) = (&stage.cluster.controllers[spare], stage.cluster.controller_address(spare));
        if !process.is_running() {
            process.start();
        }
        self.joined = true;
        let address = address.to_string();
        let votes = |list: &[ControllerInfo]| list.iter().any(|of| of.address == address && of.voter);
        Self::change(stage, &ControllersChange::Add { address: address.clone() }, votes).await?;
        if step.target == "leader" {
            let to = ControllerId(spare as u64 + 1);
            let leads = |list: &[ControllerInfo]| list.iter().any(|of| of.controller == to && of.leader);
            Self::change(stage, &ControllersChange::TransferLeadership { to }, leads).await?;
        }
        Ok(Made::Installed(process.name().into()))
    }

    async fn stop(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let Some(spare) = stage.spare.filter(|_| self.joined) else { return Ok(()) };
        let id = ControllerId(spare as u64 + 1);
        let gone = |list: &[ControllerInfo]| list.iter().all(|of| of.controller != id);
        Self::change(stage, &ControllersChange::Remove { controller: id }, gone).await?;
        // It ends when it hears of that; the next time it comes with nothing.
        stage.cluster.controllers[spare].kill();
        let data = stage.cluster.directory().join(stage.cluster.controllers[spare].name());
        std::fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))
    }
}
