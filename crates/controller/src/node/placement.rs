//! Tells what placement does and why: to operators, who ask the leader.

use std::{sync::Arc, time::Duration};

use model::{
    Cause, DatabaseId, Event, Name, PinnedTo, What,
    placement::{Explanation, Giving, Measure, Move, Offer, Reason, Skipped, Verdict, explain},
};
use rpc::{
    Refusal,
    controller::DatabaseRef,
    placement::{
        LoggedMove, PlacementAnswer, PlacementExplanation, PlacementOffer, PlacementPlan, PlacementRequest,
        PlacementServer, PlacementStatus, PlannedMove,
    },
};

use super::{Node, balancing::Round, resolve};
use crate::{limits::PLACEMENT_LISTED_MAX, reign::Reign};

impl Node {
    /// Answers what is asked.
    ///
    /// # Errors
    /// This controller does not lead, or the database is unknown.
    pub async fn placement(self: &Arc<Self>, request: PlacementRequest) -> Result<PlacementAnswer, Refusal> {
        let reign = self.reign()?;
        Ok(match request {
            PlacementRequest::Status => PlacementAnswer::Status(self.placement_status(&reign).await?),
            PlacementRequest::Plan => {
                let round = self.planned(&reign).await?;
                let moves = round.plan.moves.iter().take(PLACEMENT_LISTED_MAX);
                let moves = moves.map(|planned| self.shown_move(&round, planned)).collect();
                let skipped = shown_skips(&round.plan.skipped);
                PlacementAnswer::Plan(PlacementPlan { held: round.held, moves, skipped })
            }
            PlacementRequest::Explain { database } => {
                PlacementAnswer::Explanation(self.placement_of(&reign, &database)?)
            }
            PlacementRequest::Log { limit } => PlacementAnswer::Log(self.moves_made(&reign, limit)),
        })
    }

    async fn planned(self: &Arc<Self>, reign: &Arc<Reign>) -> Result<Round, Refusal> {
        let gone = || Refusal::Unavailable { reason: "this controller is shutting down".into() };
        self.plan_round(reign).await.ok_or_else(gone)
    }

    async fn placement_status(self: &Arc<Self>, reign: &Arc<Reign>) -> Result<PlacementStatus, Refusal> {
        let round = self.planned(reign).await?;
        let (under_way, tokens, last) = reign.state(|state| {
            let balance = &state.balance;
            (balance.flying.len(), balance.memory.tokens(), balance.last.skipped.clone())
        });
        let databases = &round.scene.snapshot.databases;
        let name = |index: u32| self.database_name(databases[index as usize].id);
        let plan = &round.plan;
        let unplaceable = round.unplaceable.iter().take(PLACEMENT_LISTED_MAX);
        Ok(PlacementStatus {
            mode: self.settings.balance.mode.name().into(),
            held: round.held.clone(),
            mean: plan.limits.mean,
            urgent: plan.limits.urgent,
            ceiling: plan.limits.ceiling,
            mean_without_largest_location: plan.gauges.without_domain,
            tokens,
            under_way: u32::try_from(under_way).unwrap_or(u32::MAX),
            skipped: shown_skips(&last),
            too_hot: plan.too_hot.iter().filter_map(|hot| Some((name(hot.database)?, hot.load))).collect(),
            unplaceable: unplaceable.filter_map(|id| self.database_name(*id)).collect(),
            servers: self.placement_servers(&round),
        })
    }

    fn placement_servers(&self, round: &Round) -> Vec<PlacementServer> {
        let servers = round.scene.snapshot.servers.iter().zip(&round.scene.tenures);
        let shown = servers.filter_map(|(server, tenure)| {
            let told = round.sketch.picture.servers.get(&server.id);
            self.view.read(|state| {
                let record = state.fleet().server(server.id)?;
                Some(PlacementServer {
                    name: record.name.clone(),
                    location: record.location.clone(),
                    state: record.state,
                    databases: state.tally().owned(*tenure),
                    utilization: told.map(|told| told.utilization),
                    capacity: server.capacity.into(),
                    source: told.map(|told| told.source.to_string()),
                    age_ms: told.map(|told| (told.age_seconds.max(0.0) * 1_000.0) as u64),
                    gives: round.memory.gives(server.id),
                })
            })
        });
        shown.collect()
    }

    fn shown_move(&self, round: &Round, planned: &Move) -> PlannedMove {
        let named = |index: u32| self.called(round.scene.tenures[index as usize].server);
        let Move { before, after, .. } = *planned;
        let pair = |of: fn(&Measure) -> f64| [of(&before), of(&after)];
        PlannedMove {
            database: planned.id,
            name: self.database_name(planned.id).unwrap_or_else(|| unnamed(planned.id)),
            from: named(planned.from),
            to: named(planned.to),
            reason: match planned.reason {
                Reason::Load => "load",
                Reason::Urgent => "urgent",
                Reason::Location => "location",
                Reason::Pin => "pin",
            }
            .into(),
            from_utilization: pair(|measure| measure.from),
            to_utilization: pair(|measure| measure.to),
            round_trip_ms: pair(|measure| measure.round_trip_ms),
            load_term: pair(|measure| measure.terms.load),
            distance_term: pair(|measure| measure.terms.distance),
            gain: planned.gain,
        }
    }

    fn placement_of(&self, reign: &Reign, database: &DatabaseRef) -> Result<PlacementExplanation, Refusal> {
        let id = self.view.read(|state| resolve(state, database))?;
        let (mut scene, sketch, memory, now_ms) = self.scene(reign);
        let told = sketch.database(id);
        let pin = self.view.read(|state| state.fleet().pin(id).cloned());
        let index = scene.find(id).unwrap_or_else(|| {
            let owner = self.view.read(|state| state.fleet().owner(id).map(|(owner, _)| owner));
            scene.add_idle(id, owner, pin.as_ref())
        });
        let explanation = explain(&scene.snapshot, self.policy(), &memory, index, now_ms)
            .expect("BUG: found or added above");
        let offer = |offer: &Offer| {
            let server = &scene.snapshot.servers[offer.placement.server as usize];
            PlacementOffer {
                server: self.called(server.id),
                location: scene.location_name(server.location).into(),
                utilization: [offer.placement.before, offer.placement.after],
                round_trip_ms: offer.placement.round_trip_ms,
                load_term: offer.placement.terms.load,
                distance_term: offer.placement.terms.distance,
                gain: offer.gain,
                verdict: in_words(offer.verdict).into(),
            }
        };
        let clients = told.map_or(&[][..], |told| &told.clients);
        Ok(PlacementExplanation {
            database: id,
            name: self.database_name(id).unwrap_or_else(|| unnamed(id)),
            pin: pin.map(|pin| match pin {
                PinnedTo::Server(server) => format!("server {}", self.called(server)),
                PinnedTo::Location(location) => format!("location {location}"),
            }),
            cores: told.map_or(0.0, |told| told.cores),
            requests_per_second: told.map_or(0.0, |told| told.requests_per_second),
            clients: clients.iter().map(|(location, share)| (location.to_string(), *share)).collect(),
            summary: summary(&explanation, self.moves_nothing().or_else(|| sketch.picture.stale.clone())),
            offers: explanation.offers.iter().map(offer).collect(),
        })
    }

    /// The last moves of the policy, from the events, and what this reign saw of their effect.
    fn moves_made(&self, reign: &Reign, limit: u32) -> Vec<LoggedMove> {
        let limit = (limit as usize).clamp(1, PLACEMENT_LISTED_MAX);
        let (log, _) = self.log();
        let mut made: Vec<LoggedMove> =
            log.iter().rev().filter_map(|event| self.logged(reign, event)).take(limit).collect();
        made.reverse();
        made
    }

    fn logged(&self, reign: &Reign, event: &Event) -> Option<LoggedMove> {
        let cause =
            event.cause.filter(|cause| matches!(cause, Cause::Balance | Cause::Location | Cause::Pin))?;
        let (database, from, to) = (event.database?, event.from?, event.to?);
        (event.what == What::Moved).then(|| LoggedMove {
            at: event.at,
            database,
            name: event.name.clone(),
            from: self.called(from).to_string(),
            to: self.called(to).to_string(),
            cause: if cause == Cause::Balance { "load".into() } else { cause.to_string() },
            evidence: event.evidence.to_string(),
            actual: reign.state(|state| state.balance.actual(database, from, to)),
        })
    }

    fn database_name(&self, id: DatabaseId) -> Option<Name> {
        self.view.read(|state| Some(state.fleet().database(id)?.name.clone()))
    }
}

fn unnamed(id: DatabaseId) -> Name {
    Name::new(&id.to_string()).expect("BUG: an id is a good name")
}

fn shown_skips(skipped: &Skipped) -> Vec<(String, u32)> {
    skipped.iter().map(|(why, count)| (why.name().into(), *count)).collect()
}

fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Current => "it is here",
        Verdict::Best => "best",
        Verdict::Better => "better than where it is",
        Verdict::NotWorthIt => "not better by what a move costs",
        Verdict::OverCeiling => "would go over the ceiling",
        Verdict::HotSpot => "would become the hotter of the two",
        Verdict::NoReturn => "it came from there lately",
        Verdict::TooFewCloser => "closer, but to too few of its clients, or by too little",
        Verdict::Unknown => "its load is not known",
        Verdict::Pinned => "pinned elsewhere",
        Verdict::Draining => "draining",
        Verdict::Down => "down",
    }
}

fn summary(explanation: &Explanation, held: Option<String>) -> String {
    let percent = |utilization: f64| utilization * 100.0;
    let Some(current) = explanation.offers.iter().find(|offer| offer.verdict == Verdict::Current) else {
        return "nobody serves it; the next request gives it to the best server".into();
    };
    let limits = &explanation.limits;
    let giving = match explanation.giving {
        Giving::No => "its server carries no more than its share, so load moves nothing off it".into(),
        Giving::Soon(left) => {
            format!("its server is above its share, and gives if that lasts {}", short(left))
        }
        Giving::Yes => "its server gives databases away".into(),
    };
    let cooling = match explanation.cooling.is_zero() {
        true => String::new(),
        false => format!("; it was moved lately, and stays for {} more", short(explanation.cooling)),
    };
    let held = held.map(|why| format!("; nothing is moved now: {why}")).unwrap_or_default();
    format!(
        "{giving}{cooling}{held}; its server is at {:.0} %, the mean is {:.0} %, urgent {:.0} %, ceiling {:.0} %",
        percent(current.placement.after),
        percent(limits.mean),
        percent(limits.urgent),
        percent(limits.ceiling)
    )
}

fn short(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds < 120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}
