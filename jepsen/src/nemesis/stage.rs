//! The processes of a cluster of our own, by what they do at this moment.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use futures::FutureExt;
use rpc::controller::{ControllerInfo, Operation};
use tests::{Cluster, Process};
use tokio::time::timeout;

use super::{Disks, Network};
use crate::{Step, Target};

/// How long one question may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// What faults work on.
pub struct Stage {
    /// The processes.
    pub cluster: Arc<Cluster>,
    /// How clients reach them.
    pub target: Target,
    /// The databases that clients use.
    pub databases: Vec<String>,
    /// A controller beyond the founders, which can be added to them: its index.
    pub spare: Option<usize>,
    /// Its network, where it has one of its own; why not, otherwise.
    pub network: Option<Network>,
    /// See above.
    pub no_network: String,
    /// Its disks, where it has some of its own; why not, otherwise.
    pub disks: Option<Disks>,
    /// See above.
    pub no_disks: String,
}

impl Stage {
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

    /// Whom a step is to hit.
    ///
    /// # Errors
    /// When nobody is to be found, or there is no such target.
    pub async fn victims(&self, step: &Step) -> anyhow::Result<Vec<&Process>> {
        let cluster = &*self.cluster;
        let one = |of: &[Process]| step.pick as usize % of.len();
        Ok(match &*step.target {
            "leader" => {
                let (leader, _) = self.leader().await.context("nobody leads")?;
                vec![&cluster.controllers[leader]]
            }
            "controller" => {
                let founders = &cluster.controllers[..self.spare.unwrap_or(cluster.controllers.len())];
                vec![&founders[one(founders)]]
            }
            "controllers" => cluster.controllers.iter().collect(),
            "handler" => vec![&cluster.handlers[one(&cluster.handlers)]],
            // Shapes of a network, and disks, which say themselves whom they hit.
            "stale" | "halves" | "bridge" | "one-way" | "ring" | "journal" | "any" => Vec::new(),
            "owner" => {
                let database = &self.databases[step.pick as usize % self.databases.len()];
                let owner = self.owner(database).await.with_context(|| format!("nobody owns {database}"))?;
                vec![&cluster.servers[owner]]
            }
            "server" => vec![&cluster.servers[one(&cluster.servers)]],
            "servers" => cluster.servers.iter().collect(),
            "all" => cluster.processes().collect(),
            other => anyhow::bail!("there is no target {other}"),
        })
    }

    /// The processes of these names.
    pub fn named<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = &'a Process> {
        self.cluster.processes().filter(|process| names.iter().any(|name| name == process.name()))
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
