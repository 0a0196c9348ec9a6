//! The processes of a cluster of our own, by what they do at this moment.

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::tests::{Cluster, Process};
use anyhow::{Context, anyhow, ensure};
use futures::FutureExt;
use rpc::controller::{ControllerInfo, Operation};
use tokio::time::{sleep, timeout};

use super::{Clocks, Disks, Network, ON_CLOCKS, ON_DISKS, ON_NETWORKS, each};
use crate::{Step, Target};

/// How long one question may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to look for a leader or an owner where there is none at this moment, and the pause between two looks.
const FIND_TIMEOUT: Duration = Duration::from_secs(10);
const FIND_PAUSE: Duration = Duration::from_millis(300);

/// What faults work on.
pub struct Stage {
    /// The processes.
    pub cluster: Arc<Cluster>,
    /// How clients reach them.
    pub target: Target,
    /// The databases that clients use.
    pub databases: Vec<String>,
    /// Those of them that no client moves.
    pub unmoved: Vec<String>,
    /// A controller beyond the founders, which can be added to them: its index. Only the fault `members` touches it.
    pub spare: Option<usize>,
    /// Its network, where it has one of its own; why not, otherwise.
    pub network: Result<Network, String>,
    /// Its disks, where it has some of its own; why not, otherwise.
    pub disks: Result<Disks, String>,
    /// The clocks of its processes, where they can be set; why not, otherwise.
    pub clocks: Result<Clocks, String>,
}

impl Stage {
    /// Why a fault cannot be made here: what it needs is missing.
    pub fn lacks(&self, fault: &str) -> Option<String> {
        let needs = [
            (ON_NETWORKS, self.network.as_ref().err()),
            (ON_DISKS, self.disks.as_ref().err()),
            (ON_CLOCKS, self.clocks.as_ref().err()),
        ];
        needs.into_iter().find(|(faults, _)| faults.contains(&fault)).and_then(|(_, why)| why.cloned())
    }

    /// Its network.
    ///
    /// # Errors
    /// Why it has none of its own.
    pub fn network(&self) -> anyhow::Result<&Network> {
        self.network.as_ref().map_err(|why| anyhow!("{why}"))
    }

    /// Its disks.
    ///
    /// # Errors
    /// Why it has none of its own.
    pub fn disks(&self) -> anyhow::Result<&Disks> {
        self.disks.as_ref().map_err(|why| anyhow!("{why}"))
    }

    /// The clocks of its processes.
    ///
    /// # Errors
    /// Why they cannot be set.
    pub fn clocks(&self) -> anyhow::Result<&Clocks> {
        self.clocks.as_ref().map_err(|why| anyhow!("{why}"))
    }

    /// The controllers that the fleet began with.
    pub fn founders(&self) -> &[Process] {
        let all = &self.cluster.controllers;
        &all[..self.spare.unwrap_or(all.len())]
    }

    /// All processes that are to run all the time: all but the spare controller.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.founders().iter().chain(&self.cluster.handlers).chain(&self.cluster.servers)
    }

    /// The controller that leads, by its index, and its term.
    pub async fn leader(&self) -> Option<(usize, u64)> {
        let mut found = None;
        for index in 0..self.cluster.controllers.len() {
            let Ok(Ok(status)) = timeout(ASK_TIMEOUT, self.cluster.status(index)).await else { continue };
            let leads = status.leader == Some(status.controller) && status.quorum_confirmed_ms_ago.is_some();
            // One that was deposed and has not heard of it has a lower term.
            if leads && found.is_none_or(|(_, term)| term < status.term) {
                found = Some((index, status.term));
            }
        }
        found
    }

    /// The server that owns a database, by its index.
    pub async fn owner(&self, database: &str) -> Option<usize> {
        let server = self.target.look_up(database).await.ok()?.owner?.server.to_string();
        self.cluster.servers.iter().position(|process| process.name() == server)
    }

    /// Whom a step is to hit. A leader or an owner that there is not at this moment is waited for.
    ///
    /// # Errors
    /// When nobody is to be found, or there is no such target.
    pub async fn victims(&self, step: &Step) -> anyhow::Result<Vec<&Process>> {
        let end = Instant::now() + FIND_TIMEOUT;
        loop {
            match self.victims_now(step).await {
                Err(_) if Instant::now() < end => sleep(FIND_PAUSE).await,
                found => return found,
            }
        }
    }

    async fn victims_now(&self, step: &Step) -> anyhow::Result<Vec<&Process>> {
        let cluster = &*self.cluster;
        let one = |of: &[Process]| step.pick as usize % of.len();
        Ok(match &*step.target {
            "leader" => {
                let (leader, _) = self.leader().await.context("nobody leads")?;
                vec![&cluster.controllers[leader]]
            }
            "controller" => vec![&self.founders()[one(self.founders())]],
            "controllers" => self.founders().iter().collect(),
            "handler" => vec![&cluster.handlers[one(&cluster.handlers)]],
            // Shapes of a network, and disks, which say themselves whom they hit.
            "stale" | "halves" | "bridge" | "one-way" | "ring" | "journal" | "any" => Vec::new(),
            "owner" => {
                // Whether an owner that was hit lost anything shows only in what nobody else moves.
                let of = if self.unmoved.is_empty() { &self.databases } else { &self.unmoved };
                ensure!(!of.is_empty(), "no workload has databases");
                let database = &of[step.pick as usize % of.len()];
                let owner = self.owner(database).await.with_context(|| format!("nobody owns {database}"))?;
                vec![&cluster.servers[owner]]
            }
            "server" => vec![&cluster.servers[one(&cluster.servers)]],
            "servers" => cluster.servers.iter().collect(),
            "all" => self.processes().collect(),
            other => anyhow::bail!("there is no target {other}"),
        })
    }

    /// The name of the only process that a step on this target would hit.
    ///
    /// # Errors
    /// As [`Stage::victims`].
    pub async fn victim(&self, step: &Step, target: &str) -> anyhow::Result<String> {
        let victims = self.victims(&Step { target: target.into(), ..step.clone() }).await?;
        Ok(victims.first().with_context(|| format!("BUG: {target} is nobody"))?.name().to_owned())
    }

    /// The processes of these names.
    pub fn named<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = &'a Process> {
        self.cluster.processes().filter(|process| names.iter().any(|name| name == process.name()))
    }

    /// The processes that work on these folders: a controller on its own, all servers on the journal.
    pub fn users<'a>(&'a self, folders: &'a [String]) -> Vec<&'a Process> {
        let journal = folders.iter().any(|folder| folder == "journal");
        let servers = self.cluster.servers.iter().filter(|_| journal);
        self.named(folders).chain(servers).collect()
    }

    /// Starts what does not run and should.
    pub fn start_again(&self) {
        self.processes().filter(|process| !process.is_running()).for_each(Process::start);
    }

    /// Gives these folders their disks again. Who works on them is killed and started anew.
    ///
    /// # Errors
    /// When a disk cannot be had again; the others are there all the same.
    pub fn mount_again(&self, disks: &Disks, folders: &[String]) -> anyhow::Result<()> {
        let users = self.users(folders);
        users.iter().for_each(|process| process.kill());
        let mounted = each(folders.iter().map(|folder| disks.again(folder)));
        users.iter().for_each(|process| process.start());
        mounted
    }

    /// Takes back whatever faults may have left behind: cuts, wrong clocks, processes that are stopped or down, disks without
    /// room or gone.
    ///
    /// # Errors
    /// What could not be taken back; the rest was.
    pub fn mend(&self) -> anyhow::Result<()> {
        let healed = self.network.as_ref().map_or(Ok(()), Network::heal);
        let clocks = self.clocks.as_ref().map_or(Ok(()), Clocks::heal);
        self.processes().filter(|process| process.is_running()).for_each(Process::resume);
        let disks = self.disks.as_ref().map_or(Ok(()), |disks| {
            // A disk that is gone cannot be emptied.
            each([self.mount_again(disks, &disks.gone()), disks.make_room()])
        });
        self.start_again();
        each([healed, clocks, disks])
    }

    /// The controllers of the fleet, as the leader lists them.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn list(&self) -> anyhow::Result<Vec<ControllerInfo>> {
        let operator = self.cluster.rpc();
        let listed = operator
            .leader(|client, context| async move { client.controllers(context).await.map(Ok) }.boxed());
        Ok(timeout(Duration::from_secs(5), listed).await.context("no list of controllers in 5 s")??)
    }

    /// Makes an operator's change.
    ///
    /// # Errors
    /// As the fleet says.
    pub async fn operate(&self, operation: Operation) -> anyhow::Result<()> {
        let operator = self.cluster.rpc();
        let done = operator.operate(model::RequestId(rand::random()), operation.clone());
        let done = timeout(Duration::from_secs(20), done).await;
        done.with_context(|| format!("no answer to {operation:?} in 20 s"))??;
        Ok(())
    }
}
