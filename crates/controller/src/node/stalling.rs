//! A leader whose disk does not finish a write hands leadership over, and sends everybody on until it does.
//!
//! The engine itself is of no help then: the first thing that it does for the next leader is to save its vote, and that
//! waits for the disk.

use std::{future::Future, sync::Arc};

use openraft::type_config::alias::NodeOf;
use rpc::Refusal;
use tokio::time::{MissedTickBehavior, interval};

use super::Node;
use crate::{
    decide::successor,
    limits::{DISK_LOOK, DISK_STALL_MAX},
    meter,
    raft::TypeConfig,
    store::{Progress, Stall},
};

/// A disk that does not finish a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stalled {
    /// Who was given leadership, `host:port`, if this controller led.
    successor: Option<String>,
}

impl Node {
    /// Looks after the disk, for ever.
    pub async fn watch_disk(self: Arc<Self>, progress: Progress) {
        let mut looks = interval(DISK_LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            match progress.stall().filter(|stall| stall.lasts >= DISK_STALL_MAX) {
                Some(stall) => self.on_stalled(stall).await,
                None => self.on_written(),
            }
        }
    }

    async fn on_stalled(&self, stall: Stall) {
        if self.stalled().is_none() {
            let path = self.settings.data_dir.display();
            tracing::error!(%path, lasts = ?stall.lasts, "the disk does not finish a write of the log");
            self.stalled.send_replace(Some(Stalled::default()));
            meter::disk_stalled(true);
        }
        if self.successor().is_some() {
            return;
        }
        let Some((to, node)) = self.choose_successor(stall) else { return };
        tracing::warn!(to, address = node.addr, "handing leadership to a controller whose disk works");
        if let Err(error) = self.raft.trigger().transfer_leader(to).await {
            tracing::warn!(%error, "cannot hand leadership over");
            return;
        }
        self.stalled.send_replace(Some(Stalled { successor: Some(node.addr) }));
    }

    fn on_written(&self) {
        if self.stalled().is_some() {
            tracing::info!("the disk writes the log again");
            self.stalled.send_replace(None);
            meter::disk_stalled(false);
        }
    }

    fn choose_successor(&self, stall: Stall) -> Option<(u64, NodeOf<TypeConfig>)> {
        let metrics = self.metrics();
        let matched = metrics.replication.as_ref()?;
        let voters = metrics.membership_config.voter_ids().filter(|id| *id != metrics.id);
        let has = |id: u64| matched.get(&id).copied().flatten().map(|at| at.index);
        let followers: Vec<(u64, Option<u64>)> = voters.map(|id| (id, has(id))).collect();
        let to = successor(stall, &followers)?;
        Some((to, metrics.membership_config.get_node(&to)?.clone()))
    }

    fn stalled(&self) -> Option<Stalled> {
        self.stalled.borrow().clone()
    }

    /// Whether its disk does not finish a write.
    pub(super) fn disk_stalls(&self) -> bool {
        self.stalled.borrow().is_some()
    }

    /// Whom it gave leadership to because of that.
    pub(super) fn successor(&self) -> Option<String> {
        self.stalled()?.successor
    }

    /// Does it, unless leadership is handed over meanwhile.
    ///
    /// # Errors
    /// Who leads then.
    pub(super) async fn while_leading<T>(&self, work: impl Future<Output = T>) -> Result<T, Refusal> {
        let mut stalled = self.stalled.subscribe();
        let handed_over =
            stalled.wait_for(|stalled| stalled.as_ref().is_some_and(|it| it.successor.is_some()));
        tokio::select! {
            biased;
            done = work => Ok(done),
            _ = handed_over => Err(Refusal::NotLeader { leader: self.successor() }),
        }
    }
}
