//! What this controller knows of the others beside the map: who is listed how, who is joining, and whether this one was
//! removed.

use std::{
    collections::BTreeSet,
    sync::{Mutex, OnceLock},
};

use openraft::{RaftMetrics, async_runtime::watch::WatchReceiver, type_config::alias::WatchReceiverOf};
use tokio::sync::watch;

use super::{LogId, TypeConfig, admission::Standing};

type Metrics = WatchReceiverOf<TypeConfig, RaftMetrics<TypeConfig>>;

/// Shared by both ends of the network and the node.
#[derive(Default)]
pub struct Peers {
    metrics: OnceLock<Metrics>,
    joining: Mutex<BTreeSet<u64>>,
    removed: watch::Sender<bool>,
}

impl Peers {
    /// From now on the engine's list of controllers is known.
    pub fn follow(&self, metrics: Metrics) {
        drop(self.metrics.set(metrics));
    }

    /// How the list names a controller.
    pub fn standing(&self, id: u64) -> Option<Standing> {
        let metrics = self.metrics.get()?.borrow_watched();
        let list = &metrics.membership_config;
        let at = (*list.log_id())?;
        let members = list.membership();
        let votes = members.get_joint_config().iter().any(|voters| voters.contains(&id));
        match (votes, members.get_node(&id)) {
            (true, _) => Some(Standing::Voter(at)),
            (false, Some(_)) => Some(Standing::Learner(at)),
            (false, None) => None,
        }
    }

    /// Whether a controller whose log ends there was removed: the list as committed does not name it, and it does not
    /// know that list. One that was only just added knows a newer one.
    pub fn was_removed(&self, id: u64, last: Option<LogId>) -> bool {
        let Some(metrics) = self.metrics.get() else { return false };
        let metrics = metrics.borrow_watched();
        let list = &metrics.committed_membership_config;
        let at = *list.log_id();
        at.is_some() && list.membership().get_node(&id).is_none() && last < at
    }

    /// A controller says whether it is joining.
    pub fn heard(&self, id: u64, joining: bool) {
        let mut all = self.joining.lock().expect("BUG: nothing panics while holding this lock");
        if joining {
            if all.insert(id) {
                tracing::warn!(
                    controller = id,
                    "it has a new disk, and is not counted on until it has everything"
                );
            }
        } else {
            all.remove(&id);
        }
    }

    /// Those that are joining.
    pub fn joining(&self) -> BTreeSet<u64> {
        self.joining.lock().expect("BUG: nothing panics while holding this lock").clone()
    }

    /// Another controller says that this one was removed.
    pub fn removed(&self) {
        self.removed.send_replace(true);
    }

    /// Returns once this controller was removed.
    pub async fn until_removed(&self) {
        let mut removed = self.removed.subscribe();
        if removed.wait_for(|removed| *removed).await.is_err() {
            unreachable!("BUG: the sender is ours");
        }
    }
}
