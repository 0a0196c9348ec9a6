//! A handler has ended a request for taking too long: judges who is to blame, and gives the database to another server
//! when it is this one (R20, R21).

use std::{collections::BTreeSet, sync::Arc};

use futures::FutureExt as _;
use model::{Cause, DatabaseId, Epoch, Fact, OnTimeLimit, RequestId, Revision, ServerId, Tenure, What};
use rpc::{
    Refusal,
    controller::{DatabaseRef, Route, RouteRequest},
    time_limit::{Blame, Overrun, Verdict},
};
use tokio::time::{Duration, Instant, timeout};
use tracing::Instrument as _;

use super::Node;
use crate::{
    decide::{Aim, Evidence, Found, Judgement, Measure, Promise, Routing, Slowness, judge},
    limits::{MOVE_WAIT, REPEATS_MAX, ROUTE_OWNERS_MAX},
    meter::{self, Reason},
    reign::{Landed, Reign},
};

impl Node {
    /// Judges an overrun, and reassigns the database if that is the verdict.
    ///
    /// # Errors
    /// The database is gone, or this controller cannot decide. [`Refusal::Lost`] when reassigning takes long; asking
    /// again joins what is going on.
    pub async fn report_time_limit(self: &Arc<Self>, overrun: Overrun) -> Result<Verdict, Refusal> {
        let reign = self.reign()?;
        let id = overrun.database;
        let found = self.found(&reign, id)?;
        let policy = self.view.read(|state| state.fleet().database_options(id).on_time_limit);
        match found.owner {
            Some(owner) if found.epoch == overrun.epoch => {
                self.judge_owner(&reign, overrun, policy, owner).await
            }
            Some(_) | None => self.judge_former(&reign, overrun, policy, &found).await,
        }
    }

    /// The server that took too long is the database's owner.
    async fn judge_owner(
        self: &Arc<Self>,
        reign: &Arc<Reign>,
        overrun: Overrun,
        policy: OnTimeLimit,
        owner: Tenure,
    ) -> Result<Verdict, Refusal> {
        let id = overrun.database;
        let to = self.alternative(reign, id, owner.server);
        let evidence = self.evidence(reign, &overrun, policy, owner, to.is_some());
        let judgement = judge(&evidence, &Slowness::default());
        let route = match to.filter(|_| judgement.measure == Measure::Reassign) {
            None => Ok(None),
            Some(to) => {
                let now = Instant::now();
                reign.state(|state| state.overruns.judged(id, overrun.epoch, judgement, now));
                let lifting = self.lift(reign, overrun.request, id, overrun.epoch, to.tenure);
                let still = Refusal::Lost { reason: format!("{id} is still on its way; ask again") };
                timeout(MOVE_WAIT, lifting).await.unwrap_or(Err(still))
            }
        };
        self.tell(&overrun, owner, &judgement, &route);
        let blame = judgement.blame;
        match route {
            Ok(route) => Ok(Verdict { blame, evidence: judgement.to_string(), route }),
            Err(lost @ Refusal::Lost { .. }) => Err(lost),
            Err(refusal) => {
                let evidence = format!("{judgement}, and it could not be reassigned: {refusal}");
                Ok(Verdict { blame, evidence, route: None })
            }
        }
    }

    /// The database has another owner meanwhile, or none: whoever moved it, the request may be provided again.
    async fn judge_former(
        self: &Arc<Self>,
        reign: &Reign,
        overrun: Overrun,
        policy: OnTimeLimit,
        found: &Found,
    ) -> Result<Verdict, Refusal> {
        let again = policy != OnTimeLimit::Never && overrun.repeats < REPEATS_MAX;
        let why = reign.state(|state| state.overruns.why(overrun.database, overrun.epoch));
        let evidence = match why {
            Some(judgement) => judgement.to_string(),
            None => format!("the database has left that server (epoch {} now)", found.epoch),
        };
        let asking = RouteRequest {
            request: overrun.request,
            database: DatabaseRef::Id(overrun.database),
            at_least: Revision(0),
            failed: None,
        };
        let route = if again { Some(self.route(asking).await?) } else { None };
        let blame = why.map_or(Blame::Server, |judgement| judgement.blame);
        Ok(Verdict { blame, evidence, route })
    }

    fn evidence(
        &self,
        reign: &Reign,
        overrun: &Overrun,
        policy: OnTimeLimit,
        owner: Tenure,
        alternative: bool,
    ) -> Evidence {
        let now = Instant::now();
        reign.state(|state| {
            let (others, elsewhere) = state.overruns.around(owner.server, overrun.database, now);
            state.overruns.note(owner.server, overrun.database, now);
            Evidence {
                policy,
                repeats: overrun.repeats,
                confirmed: overrun.confirmed,
                quick: overrun.quick,
                silent: state.liveness.silent(owner, now),
                silent_max: self.settings.heartbeat * 5 / 2,
                health: state.liveness.seen(owner).map(|seen| seen.load.health).unwrap_or_default(),
                others,
                elsewhere,
                alternative,
            }
        })
    }

    /// Who could take the database: rather nobody that feels slow, or where it timed out as well.
    fn alternative(&self, reign: &Reign, id: DatabaseId, owner: ServerId) -> Option<Promise> {
        let now = Instant::now();
        let slowness = Slowness::default();
        let avoided: BTreeSet<ServerId> =
            self.servers_up().into_iter().fold([owner].into(), |mut set, up| {
                let slow = reign.state(|state| state.liveness.seen(up));
                if slow.is_some_and(|seen| slowness.shows(&seen.load.health)) {
                    set.insert(up.server);
                }
                set
            });
        let tried: BTreeSet<ServerId> = reign.state(|state| state.overruns.servers(id, now));
        let best = self.choose(reign, id, &avoided.union(&tried).copied().collect());
        best.or_else(|_| self.choose(reign, id, &avoided))
            .or_else(|_| self.choose(reign, id, &[owner].into()))
            .ok()
    }

    /// Moves the database away from the owner it has under this epoch; whoever was faster has done it.
    async fn lift(
        self: &Arc<Self>,
        reign: &Arc<Reign>,
        request: RequestId,
        id: DatabaseId,
        epoch: Epoch,
        to: Tenure,
    ) -> Landed {
        loop {
            let (flight, mine) = reign.join(id, &self.tasks, || {
                let (node, reign) = (self.clone(), reign.clone());
                let span = tracing::info_span!("time_limit", %request, database = %id);
                let lift = async move {
                    if node.found(&reign, id)?.epoch == epoch {
                        return node.relocate(&reign, request, id, Aim::To(to), Reason::TimeLimit).await;
                    }
                    let routing = Routing::new(None, ROUTE_OWNERS_MAX);
                    node.fly(&reign, request, id, routing, Reason::Request).await.map(Some)
                };
                lift.instrument(span).boxed()
            });
            let landed = flight.await;
            if mine {
                return landed;
            }
        }
    }

    fn tell(
        &self,
        overrun: &Overrun,
        owner: Tenure,
        judgement: &Judgement,
        route: &Result<Option<Route>, Refusal>,
    ) {
        let Overrun { request, database, epoch, limit_ms, elapsed_ms, repeats, confirmed, .. } = *overrun;
        let outcome = match route {
            Ok(Some(_)) => "reassigned",
            Ok(None) => "canceled",
            Err(Refusal::Lost { .. }) => "pending",
            Err(_) => "not_reassigned",
        };
        let to = route.as_ref().ok().and_then(Option::as_ref).map(|route| route.owner.server);
        tracing::warn!(
            %request, %database, %epoch, server = %owner.server, ?to, limit_ms, elapsed_ms, repeats, confirmed,
            outcome, verdict = %judgement, "a request exceeded its database's time limit"
        );
        let fact = Fact::new(What::TimeLimitVerdict).database(database, epoch).server(owner.server);
        let took = Duration::from_millis(elapsed_ms);
        self.note(fact.cause(Cause::TimeLimit).took(took).evidence(format!("{outcome}: {judgement}")));
        meter::overrun(judgement.blame, outcome);
    }
}
