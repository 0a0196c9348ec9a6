//! Changing the set of controllers: the shell around `decide::members`, and handing leadership over.
//!
//! An operator's wish takes one step at a time and is repeated until it is so; learners are promoted by whoever leads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{Fact, What};
use openraft::{
    BasicNode, ChangeMembers, RaftMetrics, async_runtime::watch::WatchReceiver,
    type_config::TypeConfigExt as _,
};
use rpc::{
    Refusal,
    controller::{ControllersChange, Operated},
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use super::Node;
use crate::{
    decide::members::{Answer, Members, Step},
    formation::Newcomer,
    limits::{
        CONNECT_TIMEOUT, HAND_OVER_TIMEOUT, HEAR_PAUSE, HEAR_WAIT_MAX, LEARNER_LAG_MAX, MEMBERS_STEP_WAIT,
        NEWCOMER_PAUSE, NEWCOMER_WAIT,
    },
    raft::TypeConfig,
    reign::Reign,
};

impl Node {
    /// Takes the next step towards what an operator wishes. To be repeated until the list says that it is so.
    ///
    /// # Errors
    /// [`Refusal::ControllersKept`] when it cannot be, or this controller cannot decide.
    pub(super) async fn change_controllers(
        self: &Arc<Self>,
        reign: &Arc<Reign>,
        change: ControllersChange,
    ) -> Result<Operated, Refusal> {
        let answer = match change {
            ControllersChange::Add { address } => {
                let newcomer = self.newcomer(&address).await?;
                self.members(reign).add(&newcomer)
            }
            ControllersChange::Remove { controller } => self.members_heard(reign).await.remove(controller.0),
            ControllersChange::Replace { controller, address } => {
                let newcomer = self.newcomer(&address).await?;
                reign.state(|state| state.replacing = Some((newcomer.id, controller.0)));
                self.members_heard(reign).await.replace(controller.0, &newcomer)
            }
            ControllersChange::TransferLeadership { to } => self.members_heard(reign).await.transfer(to.0),
        };
        match answer {
            Answer::Done | Answer::Wait => {}
            Answer::Refuse(reason) => return Err(Refusal::ControllersKept { reason }),
            Answer::HandOver(to) => {
                if !self.hand_over(Some(to)).await {
                    return Err(Refusal::Unavailable {
                        reason: format!("controller {to} did not take over in time"),
                    });
                }
            }
            Answer::Do(step) => self.take(reign, step).await?,
        }
        Ok(self.operated(self.view.revision(), None))
    }

    /// Does what needs no wish: see [`Members::of_its_own_accord`].
    pub(super) fn look_after_members(self: &Arc<Self>, reign: &Arc<Reign>) {
        if let Some(step) = self.members(reign).of_its_own_accord() {
            self.begin(reign, step);
        }
    }

    async fn newcomer(&self, address: &str) -> Result<Newcomer, Refusal> {
        let kept = |reason| Refusal::ControllersKept { reason };
        let until = Instant::now() + NEWCOMER_WAIT;
        let status = loop {
            match self.status_of(address).await {
                Ok(status) => break status,
                // It may just be starting, or be taking a snapshot in.
                Err(_) if Instant::now() + CONNECT_TIMEOUT < until => sleep(NEWCOMER_PAUSE).await,
                Err(error) => {
                    let reason = format!("no controller answers at {address}; start it first ({error})");
                    return Err(kept(reason));
                }
            }
        };
        let newcomer = Newcomer::new(&status, address);
        let level = self.view.read(|state| state.fleet().level());
        if newcomer.level < level {
            return Err(kept(format!(
                "controller {} at {address} is of an earlier release: it knows {}, and the fleet is at {level}",
                newcomer.id, newcomer.level
            )));
        }
        match (newcomer.fleet, self.view.read(|state| state.fleet().id())) {
            (Some(other), Some(fleet)) if other != fleet => Err(kept(format!(
                "controller {} at {address} belongs to fleet {other}, and this is fleet {fleet}; stop it, empty its \
                 data directory, and start it anew",
                newcomer.id
            ))),
            (Some(_) | None, Some(_) | None) => Ok(newcomer),
        }
    }

    /// Takes a step and waits for it, unless another one is on its way: then the wish has to be repeated.
    async fn take(self: &Arc<Self>, reign: &Arc<Reign>, step: Step) -> Result<(), Refusal> {
        let Some(taken) = self.begin(reign, step) else { return Ok(()) };
        match timeout(MEMBERS_STEP_WAIT, taken).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Refusal::Unavailable { reason: "this controller is shutting down".into() }),
            Err(_) => Err(Refusal::Lost { reason: format!("no quorum confirmed it yet; {}", self.quorum()) }),
        }
    }

    /// Begins a step; it goes on even if nobody waits for it. `None` when another one is on its way.
    fn begin(
        self: &Arc<Self>,
        reign: &Arc<Reign>,
        step: Step,
    ) -> Option<oneshot::Receiver<Result<(), Refusal>>> {
        if reign.state(|state| std::mem::replace(&mut state.members_changing, true)) {
            return None;
        }
        let (tell, told) = oneshot::channel();
        let (node, reign) = (self.clone(), reign.clone());
        self.tasks.spawn(async move {
            tracing::info!(?step, "changing the controllers");
            let result = node.step(&step).await;
            match &result {
                Ok(()) => {
                    tracing::info!(?step, members = %node.metrics().membership_config, "controllers changed");
                    node.note(Fact::new(What::ControllersChanged).evidence(step.to_string()));
                }
                Err(error) => tracing::warn!(?step, %error, "controllers not changed"),
            }
            reign.state(|state| state.members_changing = false);
            // Everybody may have stopped waiting.
            drop(tell.send(result));
        });
        Some(told)
    }

    async fn step(&self, step: &Step) -> Result<(), Refusal> {
        let (change, retain) = match step {
            Step::AddLearner { id, address } => {
                let nodes = BTreeMap::from([(*id, BasicNode { addr: address.clone() })]);
                (ChangeMembers::AddNodes(nodes), true)
            }
            Step::Promote { id, instead_of: None } => (ChangeMembers::AddVoterIds([*id].into()), true),
            Step::Promote { id, instead_of: Some(old) } => {
                let add = ChangeMembers::AddVoterIds([*id].into());
                let remove = ChangeMembers::RemoveVoters([*old].into());
                (ChangeMembers::Batch(vec![add, remove]), false)
            }
            Step::Demote { id } => (ChangeMembers::RemoveVoters([*id].into()), true),
            Step::Remove { id } if self.votes(*id) => (ChangeMembers::RemoveVoters([*id].into()), false),
            Step::Remove { id } => (ChangeMembers::RemoveNodes([*id].into()), false),
            // Nobody is lost by it: one that was to leave becomes a learner again.
            Step::Finish => (ChangeMembers::AddVoterIds([].into()), true),
        };
        self.raft.change_membership(change, retain).await.map_err(|error| self.failed(error))?;
        Ok(())
    }

    fn votes(&self, id: u64) -> bool {
        self.metrics().membership_config.voter_ids().any(|voter| voter == id)
    }

    /// The controllers as they are now: only who answers from now on counts as answering. One that has just died would
    /// still be counted on otherwise.
    async fn members_heard(&self, reign: &Reign) -> Members {
        let since = TypeConfig::now();
        if let Err(error) = self.raft.trigger().heartbeat().await {
            tracing::warn!(%error, "cannot ask the other controllers whether they are up");
        }
        let answered = |metrics: &RaftMetrics<TypeConfig>, id: &u64| {
            let answers = metrics.heartbeat.as_ref();
            answers.and_then(|answers| answers.get(id).copied().flatten()).is_some_and(|at| *at >= since)
        };
        let silent = |metrics: &RaftMetrics<TypeConfig>| {
            let voters = metrics.membership_config.voter_ids();
            voters.filter(|id| *id != metrics.id && !answered(metrics, id)).collect::<BTreeSet<u64>>()
        };
        let give_up = Instant::now() + self.settings.election_max.min(HEAR_WAIT_MAX);
        while !silent(&self.metrics()).is_empty() && Instant::now() < give_up {
            sleep(HEAR_PAUSE).await;
        }
        let silent = silent(&self.metrics());
        let members = self.members(reign);
        let answering = members.answering.into_iter().filter(|id| !silent.contains(id)).collect();
        Members { answering, ..members }
    }

    /// The controllers as this leader sees them.
    fn members(&self, reign: &Reign) -> Members {
        let metrics = self.metrics();
        let list = metrics.membership_config.membership();
        let uniform = list.get_joint_config().len() == 1;
        let committed = metrics.membership_config == metrics.committed_membership_config;
        let others = || list.nodes().map(|(id, _)| *id).filter(|id| *id != metrics.id);
        let matched = |id: &u64| {
            let replication = metrics.replication.as_ref()?;
            replication.get(id).copied().flatten().map(|at| at.index)
        };
        let last = metrics.last_log_index.unwrap_or(0);
        let near = |id: &u64| matched(id).is_some_and(|index| index + LEARNER_LAG_MAX >= last);
        Members {
            me: metrics.id,
            addresses: list.nodes().map(|(id, node)| (*id, node.addr.clone())).collect(),
            voters: list.voter_ids().collect(),
            settled: committed && uniform,
            halfway: committed && !uniform,
            answering: others().filter(|id| !self.is_silent(&metrics, *id)).chain([metrics.id]).collect(),
            caught_up: others().filter(near).chain([metrics.id]).collect(),
            joining: self.peers.joining(),
            replacing: reign.state(|state| state.replacing),
        }
    }

    /// Gives leadership to this controller, or to the follower that is furthest, so that changes go on without an
    /// election time-out. Tells whether another one leads then.
    pub async fn hand_over(self: &Arc<Self>, to: Option<u64>) -> bool {
        let metrics = self.metrics();
        if !metrics.state.is_leader() {
            return true;
        }
        let voters: Vec<u64> = metrics.membership_config.voter_ids().collect();
        let others =
            metrics.replication.iter().flatten().filter(|(id, _)| **id != metrics.id && voters.contains(id));
        let furthest = || others.max_by_key(|(_, matched)| **matched).map(|(id, _)| *id);
        let Some(to) = to.or_else(furthest) else { return false };
        self.record_all_facts().await;
        tracing::info!(to, "handing leadership over");
        if let Err(error) = self.raft.trigger().transfer_leader(to).await {
            tracing::warn!(%error, "cannot hand leadership over");
            return false;
        }
        let began = Instant::now();
        let mut metrics = self.raft.metrics();
        let other_leads = async {
            loop {
                let leads = metrics.borrow_and_update().state.is_leader();
                if !leads || metrics.changed().await.is_err() {
                    break;
                }
            }
        };
        let handed = timeout(HAND_OVER_TIMEOUT, other_leads).await.is_ok();
        match handed {
            true => tracing::info!(to, took = ?began.elapsed(), "leadership handed over"),
            false => tracing::warn!(to, "nobody took leadership over in time"),
        }
        handed
    }
}
