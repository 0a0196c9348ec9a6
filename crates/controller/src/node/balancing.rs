//! The rebalancer: every interval the leader looks at loads and distances, has the policy plan, and carries the moves out
//! as planned ones (R22-R25, S5).
//!
//! What must survive the leader is in the map: pins, the pause, and in the events what was moved lately, from which a
//! new leader takes the cool-downs. Budgets and sustain times begin anew with it, and its loads are stale at first.

use std::{collections::BTreeSet, sync::Arc};

use model::{
    Cause, DatabaseId, Fact, Level, RequestId, Tenure, What, Why,
    placement::{Memory, Move, Plan, Reason, Settings, plan},
};
use tokio::time::Instant;

use super::{Node, assign::unplaceable};
use crate::{
    balance::{Flying, Mode},
    decide::{Aim, Known, Scene, Sketch, nowhere},
    limits::TROUBLED_TOLD_MAX,
    meter,
    reign::Reign,
};

/// A round's picture of things, and what was planned by it.
pub(super) struct Round {
    pub scene: Scene,
    pub sketch: Arc<Sketch>,
    pub memory: Memory,
    pub plan: Plan,
    /// Databases that cannot be where they are pinned to.
    pub unplaceable: BTreeSet<DatabaseId>,
    pub now_ms: u64,
    /// Why nothing is moved for load and distance, if so.
    pub held: Option<String>,
}

impl Node {
    /// Begins a round when one is due.
    pub(super) fn balance(self: &Arc<Self>, reign: &Arc<Reign>, now: Instant) {
        let settings = &self.settings.balance;
        if settings.mode == Mode::Off || !reign.state(|state| state.balance.begin(settings.interval, now)) {
            return;
        }
        let (node, reign) = (self.clone(), reign.clone());
        self.tasks.spawn(async move {
            node.round(&reign).await;
            reign.state(|state| state.balance.end());
        });
    }

    async fn round(self: &Arc<Self>, reign: &Arc<Reign>) {
        let (log, wall) = (self.log().0, (self.host.clock)());
        let policy = &self.settings.balance.policy;
        reign.state(|state| state.balance.remember(&log, wall, policy, Instant::now()));
        drop(log);
        let began = Instant::now();
        let Some(mut round) = self.plan_round(reign).await else { return };
        let took = began.elapsed();
        let reigns = self.reign_if_any().is_some_and(|now| now.term == reign.term);
        if !reigns || self.host.shutdown.is_cancelled() {
            return;
        }
        let moves = if self.moves_nothing().is_none() { round.plan.moves.clone() } else { Vec::new() };
        let tenure = |index: u32| round.scene.tenures[index as usize];
        let back: Vec<bool> = moves
            .iter()
            .map(|planned| {
                let before = round.memory.last_move(planned.id).and_then(|moved| moved.from);
                before == Some(tenure(planned.to).server)
            })
            .collect();
        for planned in &moves {
            round.memory.commit(planned, policy, round.now_ms);
        }
        let tokens = round.memory.tokens();
        let in_flight = reign.state(|state| {
            let utilization = |server| Some(round.sketch.picture.servers.get(&server)?.utilization);
            state.balance.observe(utilization, Instant::now());
            state.balance.decided(round.memory.clone(), policy, round.now_ms);
            state.balance.last = round.plan.clone();
            state.balance.flying.len() + moves.len()
        });
        meter::planned(&round.plan, tokens, in_flight, took);
        meter::balance_held(round.held.is_some());
        meter::unplaceable(round.unplaceable.len());
        self.tell_trouble(reign, &round);
        for (planned, back) in moves.iter().zip(back) {
            self.carry_out(reign, &round, planned, back);
        }
    }

    /// Looks at everything and plans, without carrying anything out.
    pub(super) async fn plan_round(self: &Arc<Self>, reign: &Arc<Reign>) -> Option<Round> {
        let (scene, sketch, memory, now_ms) = self.scene(reign);
        let settings = self.settings.balance.policy.clone();
        let held = self.moves_nothing().or_else(|| sketch.picture.stale.clone());
        let job = move |_: &mut ()| {
            let (scene, mut memory) = (scene, memory);
            let plan = plan(&scene.snapshot, &settings, &mut memory, now_ms);
            (scene, memory, plan)
        };
        let (scene, memory, plan) = self.calculator.call(job).await.ok()?;
        let mut unplaceable = self.view.read(|state| nowhere(state.fleet()));
        unplaceable.extend(plan.unplaceable.iter().map(|index| scene.snapshot.databases[*index as usize].id));
        Some(Round { scene, sketch, memory, plan, unplaceable, now_ms, held })
    }

    /// What the policy looks at now.
    pub(super) fn scene(&self, reign: &Reign) -> (Scene, Arc<Sketch>, Memory, u64) {
        let now = Instant::now();
        self.view.read(|state| {
            reign.state(|known| {
                let sketch = known.balance.sketch(&known.loads, now);
                let flying =
                    known.balance.flying.iter().map(|(id, flying)| (*id, (flying.from, flying.to))).collect();
                let all = Known {
                    fleet: state.fleet(),
                    tally: state.tally(),
                    liveness: &known.liveness,
                    pending: &known.pending,
                    sketch: &sketch,
                };
                let scene = Scene::whole(&all, &flying);
                (scene, sketch, known.balance.memory.clone(), known.balance.now_ms(now))
            })
        })
    }

    /// Why this controller moves nothing by policy whatever loads say, if so.
    pub(super) fn moves_nothing(&self) -> Option<String> {
        match self.settings.balance.mode {
            Mode::Off => return Some("balance.mode is off".into()),
            Mode::Recommend => return Some("balance.mode is recommend: moves are shown, not made".into()),
            Mode::Auto => {}
        }
        self.view.read(|state| {
            let fleet = state.fleet();
            if fleet.level() < Level::PLACEMENT {
                return Some(
                    "not all controllers are of a release that can tell of moves; upgrade them".into(),
                );
            }
            let paused = fleet.balancing_paused()?;
            Some(format!("paused by {}; `stationmaster placement resume` goes on", paused.by))
        })
    }

    /// Moves one database as planned; `back` to where it came from last.
    fn carry_out(self: &Arc<Self>, reign: &Arc<Reign>, round: &Round, planned: &Move, back: bool) {
        let tenure = |index: u32| round.scene.tenures[index as usize];
        let (from, to, id) = (tenure(planned.from), tenure(planned.to), planned.id);
        let why = Why::new(cause(planned.reason), self.moves_evidence(round, planned));
        reign.state(|state| state.balance.take_off(id, Flying { from, to, why }));
        let reason = match planned.reason {
            Reason::Load | Reason::Urgent => meter::Reason::Load,
            Reason::Location => meter::Reason::Location,
            Reason::Pin => meter::Reason::Pin,
        };
        let (node, reign) = (self.clone(), reign.clone());
        self.tasks.spawn(async move {
            // Somebody else may have been faster.
            let still = node.view.read(|state| state.fleet().owner(id).map(|(owner, _)| owner)) == Some(from);
            let done = still && node.policy_move(&reign, id, to, reason).await;
            reign.state(|state| state.balance.land(id, done, Instant::now()));
            meter::balanced(reason, done, back);
        });
    }

    async fn policy_move(
        self: &Arc<Self>,
        reign: &Arc<Reign>,
        id: DatabaseId,
        to: Tenure,
        reason: meter::Reason,
    ) -> bool {
        let request = RequestId(rand::random());
        let landed = self.own_flight(reign, request, id, Aim::To(to), reason).await;
        // It may have gone on to a third one.
        matches!(landed, Ok(Some(route)) if route.owner == to)
    }

    /// The values that a move was decided on, and what is expected of it.
    fn moves_evidence(&self, round: &Round, planned: &Move) -> String {
        let server = |index: u32, before: f64, after: f64| {
            let id = round.scene.tenures[index as usize].server;
            let told = round.sketch.picture.servers.get(&id);
            let told = told.map(|told| format!(" ({} {:.1}s)", told.source, told.age_seconds));
            let name = self.called(id);
            format!("{name} {:.0}->{:.0}%{}", before * 100.0, after * 100.0, told.unwrap_or_default())
        };
        let Move { before, after, .. } = planned;
        let from = server(planned.from, before.from, after.from);
        let to = server(planned.to, before.to, after.to);
        let trip = match planned.reason {
            Reason::Load | Reason::Urgent if before.round_trip_ms == after.round_trip_ms => String::new(),
            Reason::Pin => "pinned there; ".into(),
            Reason::Load | Reason::Urgent | Reason::Location => {
                format!("clients {:.1}->{:.1}ms; ", before.round_trip_ms, after.round_trip_ms)
            }
        };
        let cores = round.scene.snapshot.databases[planned.database as usize].load;
        format!(
            "{trip}{from}, {to}; needs {cores:.3} cores; load term {:.4}->{:.4}, distance {:.4}->{:.4}; mean {:.0}%, urgent {:.0}%",
            before.terms.load,
            after.terms.load,
            before.terms.distance,
            after.terms.distance,
            round.plan.limits.mean * 100.0,
            round.plan.limits.urgent * 100.0,
        )
    }

    /// Says once what keeps databases from being where they should be.
    fn tell_trouble(&self, reign: &Reign, round: &Round) {
        if self.view.read(|state| state.fleet().level()) < Level::PLACEMENT {
            return;
        }
        let databases = &round.scene.snapshot.databases;
        let id = |index: u32| databases[index as usize].id;
        let (stale, now) = (round.sketch.picture.stale.as_ref(), Instant::now());
        // What happens between two leaders anyway is no news.
        let news = reign.state(|state| state.loads.is_warm() && state.balance.is_news(stale.is_some(), now));
        if news {
            let fact = Fact::new(if stale.is_some() { What::LoadsStale } else { What::LoadsFresh });
            self.note(fact.evidence(stale.map_or("", |reason| reason)));
        }
        let hot: BTreeSet<DatabaseId> = round.plan.too_hot.iter().map(|hot| id(hot.database)).collect();
        let (hot, lost) = reign.state(|state| {
            let balance = &mut state.balance;
            let lost = balance.news(What::Unplaceable, &round.unplaceable, now);
            (balance.news(What::DatabaseTooHot, &hot, now), lost)
        });
        for id in hot.into_iter().take(TROUBLED_TOLD_MAX) {
            let told = round.plan.too_hot.iter().find(|told| databases[told.database as usize].id == id);
            let evidence = told.map(|told| {
                format!("needs {:.2} cores, and the largest server has {:.2}", told.load, told.capacity_max)
            });
            self.fact_of(What::DatabaseTooHot, id, &evidence.unwrap_or_default());
        }
        if let Some(more) = lost.len().checked_sub(TROUBLED_TOLD_MAX).filter(|more| *more > 0) {
            tracing::warn!(more, "more databases cannot be where they are pinned to; see `placement status`");
        }
        for id in lost.into_iter().take(TROUBLED_TOLD_MAX) {
            let evidence = self.view.read(|state| unplaceable(state.fleet(), id));
            tracing::warn!(database = %id, "{evidence}");
            self.fact_of(What::Unplaceable, id, &evidence);
        }
    }

    fn fact_of(&self, what: What, id: DatabaseId, evidence: &str) {
        let epoch = self.view.read(|state| state.fleet().database(id).map(|known| known.epoch));
        if let Some(epoch) = epoch {
            self.note(Fact::new(what).database(id, epoch).evidence(evidence));
        }
    }

    /// The policy's figures.
    pub(super) fn policy(&self) -> &Settings {
        &self.settings.balance.policy
    }
}

fn cause(reason: Reason) -> Cause {
    match reason {
        Reason::Load | Reason::Urgent => Cause::Balance,
        Reason::Location => Cause::Location,
        Reason::Pin => Cause::Pin,
    }
}
