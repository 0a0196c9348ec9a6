//! Directives of administrators: taken in, told to handlers, ended; and what handlers tell of them.
//!
//! Every way to send one ends here, whatever process it begins at: the leader makes sure who it is, and the map says
//! whether that user may (R92).

use std::sync::Arc;

use model::{Cause, Command, Name, Person, Proposal, Rejection, RequestId, SenderRole, Targets, Why, Wish};
use rpc::{
    Refusal,
    controller::{DatabaseRef, Operated},
    directives::{
        DirectiveInfo, DirectiveTally, DirectivesReport, PendingInfo, Proven, Question, SendersInfo,
        TargetsCount,
    },
};
use tokio::time::{Instant, sleep};
use wire::scram::Verifier;

use super::{Node, resolve, shortened};
use crate::{
    limits::{COUNT_PAUSE, COUNT_TIMEOUT},
    reign::Reign,
};

impl Node {
    /// Does what an administrator wants, if the proof is right. What the administrator may do, the map decides.
    ///
    /// # Errors
    /// The proof is not, the map says no, it is no directive, or this controller cannot decide.
    pub(super) async fn administer(
        &self,
        reign: &Reign,
        request: RequestId,
        by: &Proven,
        wish: rpc::directives::Wish,
    ) -> Result<Operated, Refusal> {
        let person = self.proven(request, by, &wish)?;
        let name = |text: &str| Name::new(text).map_err(Rejection::from);
        let wish = match wish {
            rpc::directives::Wish::Send { id, text, targets } => {
                self.sending(reign, name(&id)?, &text, targets)?
            }
            rpc::directives::Wish::PutSender { id, user, role } => {
                Wish::PutSender { id: name(&id)?, user: name(&user)?, role }
            }
            rpc::directives::Wish::Approve { id } => Wish::Approve { id: name(&id)? },
            rpc::directives::Wish::Revoke { id: Some(id) } => Wish::Revoke { id: name(&id)? },
            rpc::directives::Wish::Revoke { id: None } => {
                return self.revoke_all(reign, request, person).await;
            }
        };
        let why = self.why(reign, request, &wish);
        let (revision, _) =
            self.propose_because(why, Command::Administer { by: person, wish }).await?.accepted()?;
        Ok(self.operated(revision, None))
    }

    /// Who it is, if the proof is that user's, of this wish in this request.
    fn proven(
        &self,
        request: RequestId,
        by: &Proven,
        wish: &rpc::directives::Wish,
    ) -> Result<Person, Refusal> {
        let message = rpc::directives::signed(request, &by.user, &by.at, wish);
        let verifier = self.verifier(&by.user).and_then(|text| text.parse::<Verifier>().ok());
        if !verifier.is_some_and(|verifier| verifier.signed(&message, &by.proof)) {
            tracing::warn!(user = shortened(&by.user), at = shortened(&by.at), "a proof is not this user's");
            let user = shortened(&by.user);
            let reason = format!("this was not proven to be the word of user \"{user}\"; log in again");
            return Err(Refusal::NotAllowed { reason });
        }
        let user = Name::new(&by.user).map_err(Rejection::from)?;
        let at = Name::new(&by.at).map_err(Rejection::from)?;
        Ok(Person { user, at })
    }

    /// A directive to be sent, or to wait if it takes two persons (R82, R90).
    fn sending(&self, reign: &Reign, id: Name, text: &str, targets: Targets) -> Result<Wish, Refusal> {
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
        // Repeated, or sent to others: it keeps its order, so that it is the same directive.
        directive.order = match self.told_before(&id) {
            Some(told) if (directive::Directive { order: told.order, ..directive.clone() }) == told => {
                told.order
            }
            Some(_) | None => self.order(reign, directive.scope.database.as_deref()),
        };
        let text = directive::encode(&directive).map_err(|refusal| invalid(&refusal))?;
        let second = directive.kind().takes_two();
        // The map fills in who sends it.
        let by = Name::new("nobody").map_err(Rejection::from)?;
        let directive = model::Directive { text, targets, lifetime_ms: directive.lifetime_ms, by };
        Ok(Wish::Send { id, directive: Box::new(directive), second })
    }

    /// What stands or waits under that id.
    fn told_before(&self, id: &Name) -> Option<directive::Directive> {
        let text = self.view.read(|state| {
            let fleet = state.fleet();
            let waits = fleet.pending().find(|(waiting, _)| *waiting == id);
            let waits = waits.and_then(|(_, pending)| match &pending.proposal {
                Proposal::Directive(directive) => Some(directive.text.clone()),
                Proposal::Sender { .. } | Proposal::Withdrawn => None,
            });
            fleet.directive(id).map(|standing| standing.directive.text.clone()).or(waits)
        });
        directive::decode(text?.as_bytes()).ok()
    }

    /// For the event: which request, to whom, and what became of what ends.
    fn why(&self, reign: &Reign, request: RequestId, wish: &Wish) -> Why {
        let more = match wish {
            Wish::Send { directive, .. } => format!("; to {}", directive.targets),
            Wish::Revoke { id } if self.view.read(|state| state.fleet().directive(id).is_some()) => {
                format!("; {}", reign.state(|state| state.told.tally(id)).0)
            }
            Wish::Revoke { .. } | Wish::PutSender { .. } | Wish::Approve { .. } => String::new(),
        };
        Why::new(Cause::Operator, format!("request {request}{more}"))
    }

    /// The stop switch, for what stands and for what waits. Of all of them, some may end meanwhile.
    async fn revoke_all(&self, reign: &Reign, request: RequestId, by: Person) -> Result<Operated, Refusal> {
        let ids: Vec<Name> = self.view.read(|state| {
            let fleet = state.fleet();
            let waiting =
                fleet.pending().filter(|(_, waits)| matches!(waits.proposal, Proposal::Directive(_)));
            fleet.directives().map(|(id, _)| id).chain(waiting.map(|(id, _)| id)).cloned().collect()
        });
        // Said even if there is nothing to revoke: whoever may not hears so.
        if self.view.read(|state| state.fleet().sender(&by.user)).is_none() {
            let role = SenderRole::Sender;
            return Err(Rejection::NotAllowed { user: by.user, role }.into());
        }
        let mut revision = self.view.revision();
        for id in ids {
            let wish = Wish::Revoke { id };
            let why = self.why(reign, request, &wish);
            let proposed = self.propose_because(why, Command::Administer { by: by.clone(), wish }).await?;
            match proposed.outcome {
                Err(Rejection::DirectiveUnknown { .. }) => {}
                outcome => drop(outcome?),
            }
            revision = proposed.revision;
        }
        Ok(self.operated(revision, None))
    }

    /// Who may send directives and what waits, by the map of this controller.
    pub fn senders(&self) -> SendersInfo {
        let now = (self.host.clock)();
        self.view.read(|state| {
            let pending = state.fleet().pending().map(|(id, pending)| PendingInfo {
                id: id.clone(),
                by: pending.by.to_string(),
                what: pending.proposal.to_string(),
                left_ms: pending.left_ms(now),
            });
            SendersInfo {
                senders: state.fleet().senders().map(|(user, role)| (user.clone(), role)).collect(),
                pending: pending.filter(|info| info.left_ms > 0).collect(),
            }
        })
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
