//! Directives of administrators: taken in, told to handlers, ended; and what handlers tell of them.

use std::sync::Arc;

use model::{Cause, Command, Name, Rejection, RequestId, Targets, Why};
use rpc::{
    Refusal,
    controller::{DatabaseRef, Operated},
    directives::{DirectiveInfo, DirectiveTally, DirectivesReport, Question, TargetsCount},
};
use tokio::time::{Instant, sleep};

use super::{Node, resolve};
use crate::{
    limits::{COUNT_PAUSE, COUNT_TIMEOUT},
    reign::Reign,
};

impl Node {
    /// Sends a directive to clients, or one that stands to others.
    ///
    /// # Errors
    /// It is none, its id is another's, too many stand, or this controller cannot decide.
    pub(super) async fn send_directive(
        &self,
        reign: &Reign,
        request: RequestId,
        (id, by): (Name, Name),
        text: &str,
        targets: Targets,
    ) -> Result<Operated, Refusal> {
        let read = directive::decode(text.as_bytes());
        let mut directive = read.map_err(|unreadable| invalid(&unreadable.refusal))?;
        if directive.id != id.as_str() {
            let reason = format!("its id is {}, not {id}", directive.id);
            return Err(Refusal::DirectiveInvalid { reason });
        }
        if directive.session.is_some() {
            let reason = "a session is given by the targets; handlers fill it in".into();
            return Err(Refusal::DirectiveInvalid { reason });
        }
        let known = self.view.read(|state| state.fleet().directive(&id).cloned());
        let known = known.map(|standing| standing.directive.text);
        let told = known.as_deref().and_then(|text| directive::decode(text.as_bytes()).ok());
        // Repeated, or sent to others: it keeps its order, so that it is the same directive.
        directive.order = match told {
            Some(told) if (directive::Directive { order: told.order, ..directive.clone() }) == told => {
                told.order
            }
            Some(_) | None => self.order(reign, directive.scope.database.as_deref()),
        };
        let text = directive::encode(&directive).map_err(|refusal| invalid(&refusal))?;
        let why = Why::new(Cause::Operator, format!("request {request}; to {targets}"));
        let directive = model::Directive { text, targets, lifetime_ms: directive.lifetime_ms, by };
        let command = Command::PutDirective { id, directive: Box::new(directive) };
        let (revision, _) = self.propose_because(why, command).await?.accepted()?;
        Ok(self.operated(revision, None))
    }

    /// Behind everything that was said before: the epoch of the database's assignment or the leader's term, and the
    /// clock, but more than any directive that stands.
    fn order(&self, reign: &Reign, database: Option<&str>) -> directive::Order {
        let clock = (self.host.clock)().0.saturating_mul(1_000);
        self.view.read(|state| {
            let fleet = state.fleet();
            let id = database.and_then(|text| resolve(state, &DatabaseRef::parse(text)).ok());
            let epoch = id.and_then(|id| fleet.database(id)).map_or(reign.term, |database| database.epoch.0);
            let told = fleet.directives().filter_map(|(_, standing)| {
                Some(directive::decode(standing.directive.text.as_bytes()).ok()?.order.sequence)
            });
            let sequence = told.max().map_or(clock, |last| clock.max(last.saturating_add(1)));
            let number_max = directive::limits::NUMBER_MAX;
            directive::Order { epoch: epoch.min(number_max), sequence: sequence.min(number_max) }
        })
    }

    /// Revokes one directive, or all of them.
    ///
    /// # Errors
    /// There is no such directive, or this controller cannot decide.
    pub(super) async fn end_directives(
        &self,
        reign: &Reign,
        request: RequestId,
        id: Option<Name>,
        by: &Name,
    ) -> Result<Operated, Refusal> {
        let all = || self.view.read(|state| state.fleet().directives().map(|(id, _)| id.clone()).collect());
        let ids: Vec<Name> = id.map_or_else(all, |id| vec![id]);
        let one = ids.len() == 1;
        let mut revision = self.view.revision();
        for id in ids {
            let (tally, _) = reign.state(|state| state.told.tally(&id));
            let why = Why::new(Cause::Operator, format!("request {request}; by {by}; {tally}"));
            let proposed = self.propose_because(why, Command::EndDirective { id }).await?;
            match proposed.outcome {
                // Of all of them, one may have ended meanwhile.
                Err(Rejection::DirectiveUnknown { .. }) if !one => {}
                outcome => drop(outcome?),
            }
            revision = proposed.revision;
        }
        Ok(self.operated(revision, None))
    }

    /// Ends those whose time is over, and notes what became of them.
    pub(super) fn end_directives_in_time(self: &Arc<Self>, reign: &Arc<Reign>) {
        let now = (self.host.clock)();
        let over: Vec<Name> = self.view.read(|state| {
            let directives = state.fleet().directives();
            directives.filter(|(_, standing)| standing.left_ms(now) == 0).map(|(id, _)| id.clone()).collect()
        });
        let over = reign.state(|state| {
            let over: Vec<Name> = over.into_iter().filter(|id| state.ending.insert(id.clone())).collect();
            over.into_iter().map(|id| (state.told.tally(&id).0, id)).collect::<Vec<_>>()
        });
        for (tally, id) in over {
            let (node, reign) = (self.clone(), reign.clone());
            self.tasks.spawn(async move {
                let why = Why::new(Cause::CleanUp, format!("its time is over; {tally}"));
                if let Err(error) = node.propose_because(why, Command::EndDirective { id: id.clone() }).await
                {
                    tracing::warn!(directive = %id, %error, "cannot end a directive yet");
                }
                reign.state(|state| state.ending.remove(&id));
            });
        }
    }

    /// Those that stand, by the map of this controller.
    pub fn directives(&self) -> Vec<DirectiveInfo> {
        let now = (self.host.clock)();
        self.view.read(|state| {
            let standing = state.fleet().directives().map(|(id, standing)| DirectiveInfo {
                id: id.clone(),
                text: standing.directive.text.clone(),
                targets: standing.directive.targets.clone(),
                by: standing.directive.by.clone(),
                since: standing.since,
                lifetime_ms: standing.directive.lifetime_ms,
                left_ms: standing.left_ms(now),
            });
            standing.filter(|info| info.left_ms > 0).collect()
        })
    }

    /// A handler reports.
    ///
    /// # Errors
    /// This controller does not lead.
    pub fn report_directives(&self, report: DirectivesReport) -> Result<Vec<Question>, Refusal> {
        let reign = self.reign()?;
        let standing: std::collections::BTreeSet<Name> =
            self.view.read(|state| state.fleet().directives().map(|(id, _)| id.clone()).collect());
        Ok(reign.state(|state| state.told.report(report, |id| standing.contains(id), Instant::now())))
    }

    /// Asks all handlers how many sessions these targets are.
    ///
    /// # Errors
    /// This controller does not lead, or is asked too much.
    pub async fn count_targets(&self, directive: Name, targets: Targets) -> Result<TargetsCount, Refusal> {
        let reign = self.reign()?;
        let now = Instant::now();
        let until = now + COUNT_TIMEOUT;
        let number = reign.state(|state| state.told.ask(directive, targets, until, now));
        let Some(number) = number else {
            return Err(Refusal::Unavailable { reason: "too many targets are being counted".into() });
        };
        loop {
            sleep(COUNT_PAUSE).await;
            let count = reign.state(|state| state.told.count(number, Instant::now()));
            let complete = count.silent == 0 && count.handlers > 0;
            if complete || Instant::now() + COUNT_PAUSE * 2 >= until {
                return Ok(count);
            }
        }
    }

    /// What became of those that stand.
    ///
    /// # Errors
    /// This controller does not lead.
    pub fn directive_tallies(&self) -> Result<Vec<DirectiveTally>, Refusal> {
        let reign = self.reign()?;
        let tally = |info: DirectiveInfo| {
            let (tally, handlers) = reign.state(|state| state.told.tally(&info.id));
            DirectiveTally { id: info.id, tally, handlers }
        };
        Ok(self.directives().into_iter().map(tally).collect())
    }
}

fn invalid(refusal: &directive::Refusal) -> Refusal {
    Refusal::DirectiveInvalid { reason: refusal.to_string() }
}
