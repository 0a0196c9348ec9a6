//! Why the leader does what it does, in the words that events keep (S10); and facts that are no decisions.

use std::sync::Arc;

use model::{Cause, Command, DatabaseId, Fact, Level, RequestId, Tenure, What, Why};
use tokio::time::{Instant, sleep, timeout};

use super::Node;
use crate::{
    decide,
    decide::{LoadFailure, Trouble},
    limits::{EVENTS_LOOKED_AT, FACTS_PAUSE, FACTS_WAIT},
    meter::Reason,
    reign::Reign,
};

impl Node {
    /// Something was found out that is worth remembering. Recorded with the next tick, if this controller leads then.
    pub(super) fn note(&self, fact: Fact) {
        self.facts.lock().expect("BUG: nothing panics while holding this lock").note(fact);
    }

    /// Records what waits, unless that is going on.
    pub(super) fn record_facts(self: &Arc<Self>) {
        let level = self.view.read(|state| state.fleet().level());
        if level < Level::EVENTS {
            return;
        }
        let facts = || self.facts.lock().expect("BUG: nothing panics while holding this lock");
        let Some(mut batch) = facts().begin() else { return };
        // Of what older controllers cannot read nothing is said.
        batch.retain(|fact| fact.what.level() <= level);
        if batch.is_empty() {
            return facts().ended(0);
        }
        let node = self.clone();
        self.tasks.spawn(async move {
            let count = batch.len();
            let result = node.propose(Command::RecordEvents { facts: batch }).await;
            if let Err(error) = &result {
                tracing::warn!(%error, count, "facts are not recorded");
            }
            let lost = if result.is_ok() { 0 } else { count };
            node.facts.lock().expect("BUG: nothing panics while holding this lock").ended(lost);
        });
    }

    /// Records everything that waits: after a hand-over nobody would know of it.
    pub(super) async fn record_all_facts(self: &Arc<Self>) {
        let all = async {
            while !self.facts.lock().expect("BUG: nothing panics while holding this lock").is_done() {
                self.record_facts();
                sleep(FACTS_PAUSE).await;
            }
        };
        let speaks_of_them = self.view.read(|state| state.fleet().level()) >= Level::EVENTS;
        if speaks_of_them && timeout(FACTS_WAIT, all).await.is_err() {
            tracing::warn!("some facts are not recorded: leadership is handed over before");
        }
    }

    /// Why a database that nobody serves is given to a server.
    pub(super) fn why_given(&self, id: DatabaseId, reason: Reason, trouble: Option<&Trouble>) -> Why {
        let end = || self.end_of_owner(id);
        match reason {
            Reason::Created | Reason::Operator => Cause::Move.into(),
            Reason::Request => match end() {
                Some(end) => Why::new(Cause::ServerExpired, end),
                None => Cause::FirstRequest.into(),
            },
            Reason::Failover => Why::new(Cause::BackgroundFailover, end().unwrap_or_default()),
            Reason::Failed => {
                let said =
                    trouble.map(|trouble| format!("{}: {}", self.called(trouble.server), trouble.reason));
                Why::new(Cause::ServerUnable, said.unwrap_or_default())
            }
            Reason::Drain => Cause::Drain.into(),
            Reason::TimeLimit => Cause::TimeLimit.into(),
            Reason::Load => Cause::Balance.into(),
            Reason::Location => Cause::Location.into(),
            Reason::Pin => Cause::Pin.into(),
        }
    }

    /// Why a database is taken from a server that serves it.
    pub(super) fn why_moved(&self, reign: &Reign, request: RequestId, id: DatabaseId, reason: Reason) -> Why {
        let cause = match reason {
            // The policy has said why.
            Reason::Load | Reason::Location | Reason::Pin => {
                let said =
                    reign.state(|state| state.balance.flying.get(&id).map(|flying| flying.why.clone()));
                return said.unwrap_or_else(|| Cause::Balance.into());
            }
            Reason::Created | Reason::Request | Reason::Operator => Cause::Move,
            Reason::Failed => Cause::ServerUnable,
            Reason::Failover => Cause::BackgroundFailover,
            Reason::Drain => Cause::Drain,
            Reason::TimeLimit => Cause::TimeLimit,
        };
        Why::new(cause, format!("request {request}"))
    }

    /// Why a server's life is declared over.
    pub(super) fn why_expired(&self, reign: &Reign, tenure: Tenure, cause: decide::Cause) -> Why {
        let silent = reign.state(|state| state.liveness.silent(tenure, Instant::now()));
        let owned = self.view.read(|state| state.tally().owned(tenure));
        let evidence =
            format!("{cause}; last heard of {:.1} s ago, owned {owned} databases", silent.as_secs_f64());
        Why::new(cause.event(), evidence)
    }

    /// An owner did not do what it was told.
    pub(super) fn load_failed_there(
        &self,
        id: DatabaseId,
        epoch: model::Epoch,
        owner: Tenure,
        (how, reason): &(LoadFailure, String),
    ) {
        let fact = Fact::new(What::LoadFailed).database(id, epoch).server(owner.server);
        let cause = match how {
            LoadFailure::Dead(decide::Cause::Refused) => Cause::ConnectionRefused,
            LoadFailure::Dead(_) => Cause::AnotherLife,
            LoadFailure::Silent => Cause::HeartbeatSilent,
            LoadFailure::Unable | LoadFailure::EpochSpent => Cause::ServerUnable,
        };
        self.note(fact.cause(cause).evidence(reason));
    }

    /// How the life of a database's last owner ended, if it did: the event that says so.
    fn end_of_owner(&self, id: DatabaseId) -> Option<String> {
        let tenure = self.view.read(|state| {
            let last = state.fleet().database(id)?.owner?;
            state.fleet().owner(id).is_none().then_some(last)
        })?;
        let (log, _) = self.log();
        let ended =
            |event: &&model::Event| event.what == What::ServerExpired && event.from == Some(tenure.server);
        let name = self.called(tenure.server);
        Some(match log.iter().rev().take(EVENTS_LOOKED_AT).find(ended) {
            Some(event) => {
                let cause = event.cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                format!("{name} expired by event {}{cause}", event.id)
            }
            None => format!("{name} is not in that life any more"),
        })
    }
}
