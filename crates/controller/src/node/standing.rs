//! How this controller stands: who leads, who is missing, and what it tells of itself.

use model::ControllerId;
use openraft::{Instant as _, async_runtime::watch::WatchReceiver};
use rpc::{
    Readiness, Refusal, Service, connect, context,
    controller::{BrakeEngaged, ControllerApiClient, ControllerInfo, ControllerStatus},
    handshake::Role,
};
use tokio::time::{Duration, timeout};

use super::Node;
use crate::{formation::JOINING, limits::CONNECT_TIMEOUT, raft::TypeConfig};

type Metrics = openraft::RaftMetrics<TypeConfig>;

/// How long ago a majority confirmed this leader. One that is alone is its own majority, at any time: the engine's note
/// of it is as old as the last entry.
fn confirmed(metrics: &Metrics) -> Option<Duration> {
    match metrics.membership_config.voter_ids().eq([metrics.id]) {
        true => Some(Duration::ZERO),
        false => metrics.last_quorum_acked.map(|at| at.elapsed()),
    }
}

impl Node {
    /// The engine's own account.
    pub fn metrics(&self) -> Metrics {
        self.raft.metrics().borrow_watched().clone()
    }

    /// A refusal for callers that need the leader.
    pub(super) fn not_leading(&self) -> Refusal {
        if let Some(address) = self.successor() {
            return Refusal::NotLeader { leader: Some(address) };
        }
        let metrics = self.metrics();
        match metrics.current_leader {
            Some(_) if self.is_cut_off(&metrics) => Refusal::Unavailable { reason: self.quorum() },
            Some(leader) if leader != self.settings.id.0 => {
                let node = metrics.membership_config.get_node(&leader).map(|node| node.addr.clone());
                Refusal::NotLeader { leader: node }
            }
            Some(_) => Refusal::Unavailable { reason: "this controller is only just taking over".into() },
            None => Refusal::Unavailable { reason: self.quorum() },
        }
    }

    /// What a quorum needs, and what is missing as far as this controller can tell.
    pub(super) fn quorum(&self) -> String {
        let metrics = self.metrics();
        let voters: Vec<u64> = metrics.membership_config.voter_ids().collect();
        if voters.is_empty() {
            return "this controller is not part of a fleet yet: it waits for the other founders, or to be added".into();
        }
        let needed = voters.len() / 2 + 1;
        let silent: Vec<String> = voters
            .iter()
            .filter(|id| **id != metrics.id && self.is_silent(&metrics, **id))
            .map(|id| match metrics.membership_config.get_node(id) {
                Some(node) => format!("{id} ({})", node.addr),
                None => id.to_string(),
            })
            .collect();
        let of = voters.len();
        match metrics.heartbeat {
            Some(_) if silent.is_empty() => "a quorum was lost for a moment".into(),
            Some(_) => {
                format!("{needed} of {of} controllers are needed; no answer from {}", silent.join(", "))
            }
            None => {
                format!("no leader is known; {needed} of {of} controllers must be up and reach each other")
            }
        }
    }

    /// Whether a follower did not answer this leader for a lease.
    pub(super) fn is_silent(&self, metrics: &Metrics, id: u64) -> bool {
        let answered = metrics.heartbeat.as_ref().and_then(|answered| answered.get(&id).copied().flatten());
        answered.is_none_or(|at| at.elapsed() > self.settings.election_max)
    }

    /// Asks the engine when it last heard from a leader.
    pub(super) async fn listen(&self) {
        let asked = self.raft.with_raft_state(|state| state.vote_last_modified());
        // An engine that is busy or gone has nothing new to say; what it said last grows old.
        if let Ok(Ok(heard)) = timeout(self.settings.election_max, asked).await {
            *self.heard.lock().expect("BUG: nothing panics while holding this lock") = heard;
        }
    }

    /// Whether it leads and no quorum has said so for a lease, or follows a leader that has been silent for so long.
    fn is_cut_off(&self, metrics: &Metrics) -> bool {
        let ago = if metrics.state.is_leader() {
            confirmed(metrics)
        } else {
            self.heard.lock().expect("BUG: nothing panics while holding this lock").map(|at| at.elapsed())
        };
        ago.is_none_or(|ago| ago > self.settings.lease)
    }

    /// How it is doing.
    pub fn status(&self) -> ControllerStatus {
        let metrics = self.metrics();
        let confirmed = confirmed(&metrics).filter(|_| metrics.state.is_leader());
        let (fleet, databases) =
            self.view.read(|state| (state.fleet().id(), state.fleet().databases_len() as u64));
        // The engine waits for the disk, and does not know that it leads no more.
        let handed_over = self.successor().is_some();
        let state = match handed_over {
            true => "stalled".into(),
            false if self.admission.is_joining() => JOINING.into(),
            false => format!("{:?}", metrics.state).to_lowercase(),
        };
        ControllerStatus {
            controller: self.settings.id,
            fleet,
            state,
            leader: metrics.current_leader.filter(|_| !handed_over).map(ControllerId),
            term: metrics.current_term,
            revision: self.view.revision(),
            log_last: metrics.last_log_index.unwrap_or(0),
            snapshot_last: metrics.snapshot.map_or(0, |id| id.index),
            quorum_confirmed_ms_ago: confirmed.map(millis),
            databases,
            brake: self.brake(),
            release: env!("CARGO_PKG_VERSION").into(),
            level_known: self.settings.level,
            level: self.view.read(|state| state.fleet().level()),
        }
    }

    /// How another controller is doing.
    ///
    /// # Errors
    /// Why it does not say so in time.
    pub async fn status_of(&self, address: &str) -> Result<ControllerStatus, String> {
        let ask = async {
            let (dial, secret) = (&*self.host.dial, &self.host.secret);
            let connecting = connect(dial, address, secret, Service::Controller, Role::Controller);
            let transport = connecting.await.map_err(|error| with_cause(&error))?;
            let client = ControllerApiClient::new(rpc::tarpc::client::Config::default(), transport).spawn();
            client.status(context()).await.map_err(|error| error.to_string())
        };
        let silent = |_| Err(format!("no answer within {CONNECT_TIMEOUT:?}"));
        timeout(CONNECT_TIMEOUT, ask).await.unwrap_or_else(silent)
    }

    fn brake(&self) -> Option<BrakeEngaged> {
        let engaged = self.reign_if_any()?.state(|state| state.brake.engaged())?;
        Some(BrakeEngaged {
            silent: engaged.silent as u64,
            of: engaged.of as u64,
            ms_ago: millis(engaged.since.elapsed()),
        })
    }

    /// All controllers, as this one knows them.
    pub fn controllers(&self) -> Vec<ControllerInfo> {
        let metrics = self.metrics();
        let members = metrics.committed_membership_config.membership();
        // In between two lists only those vote for good that are on both.
        let votes = |id: &u64| members.get_joint_config().iter().all(|voters| voters.contains(id));
        let replication = metrics.replication.as_ref();
        let matched = |id: u64| match replication {
            Some(_) if id == metrics.id => metrics.last_log_index,
            Some(matched) => matched.get(&id).copied().flatten().map(|at| at.index),
            None => None,
        };
        members
            .nodes()
            .map(|(id, node)| ControllerInfo {
                controller: ControllerId(*id),
                address: node.addr.clone(),
                voter: votes(id),
                leader: metrics.current_leader == Some(*id),
                matched: matched(*id),
            })
            .collect()
    }

    /// The addresses of all controllers.
    pub(super) fn addresses(&self) -> Vec<String> {
        let members = self.metrics().membership_config;
        members.nodes().map(|(_, node)| node.addr.clone()).collect()
    }

    /// Whether it can do its work.
    pub fn readiness(&self) -> Readiness {
        if self.host.shutdown.is_cancelled() {
            return Readiness::NotReady("shutting down".into());
        }
        if self.disk_stalls() {
            let path = self.settings.data_dir.display();
            return Readiness::NotReady(format!("the disk of {path} does not finish a write"));
        }
        let metrics = self.metrics();
        if metrics.current_leader.is_none() || self.is_cut_off(&metrics) {
            return Readiness::NotReady(self.quorum());
        }
        if self.view.read(|state| state.fleet().id().is_none()) {
            return Readiness::NotReady("the fleet is not founded yet".into());
        }
        Readiness::Ready
    }
}

fn with_cause(error: &rpc::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
