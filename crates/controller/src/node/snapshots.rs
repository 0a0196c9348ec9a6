//! Making snapshots of the map, so that the log does not grow for ever: see [`Places`].

use std::sync::Arc;

use openraft::async_runtime::watch::WatchReceiver as _;
use tokio::time::{MissedTickBehavior, interval};

use super::Node;
use crate::{decide::Places, limits::SNAPSHOT_LOOK};

impl Node {
    /// Has the engine make a snapshot whenever one is due, until the engine is gone.
    pub async fn make_snapshots(self: Arc<Self>) {
        let mut looks = interval(SNAPSHOT_LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            // While one is being made the engine takes no notice.
            if self.snapshot_is_due() && self.raft.trigger().snapshot().await.is_err() {
                return;
            }
        }
    }

    fn snapshot_is_due(&self) -> bool {
        let databases = self.view.read(|state| state.fleet().databases_len() as u64);
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let Some(applied) = metrics.last_applied else { return false };
        let snapshot = metrics.snapshot.map_or(0, |id| id.index);
        let nodes = || metrics.membership_config.nodes();
        let nth = nodes().filter(|(id, _)| **id < metrics.id).count() as u64;
        let every = self.settings.snapshot_every;
        Places::new(every, databases, nth, nodes().count() as u64).passed(snapshot, applied.index)
    }
}
