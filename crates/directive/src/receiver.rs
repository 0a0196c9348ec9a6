//! A client's state: what it was told, as far as its owner allows it.
//!
//! One receiver for a process, fed from all its sessions. It takes the time with each call and does nothing by itself;
//! what follows from its state are questions, in the files beside: may I connect ([`connect`]), what about this error
//! ([`errors`]), may I send ([`rate`]), what do I know ([`world`]).
//!
//! Whatever is sent, memory stays bounded, nothing panics, and the client is never held up for longer than its owner
//! allows ([`Policy::hold_ms_max`]).

mod allowance;
pub mod connect;
pub mod errors;
mod known;
pub mod rate;
mod slots;
mod sources;
pub mod status;
mod vet;
pub mod world;

use std::collections::BTreeMap;

use crate::{
    Acknowledgement, Action, Directive, Kind, Kinds, Moment, Outcome, Policy, Refusal, Slot, Why, decode,
    jitter::jitter_ms,
};

use allowance::Allowance;
use known::Known;
use slots::{Held, Slots};
use sources::Sources;

/// A client's state.
#[derive(Debug, Clone)]
pub struct Receiver {
    policy: Policy,
    /// What the driver has.
    can: Kinds,
    /// Makes this client's jitter its own.
    seed: u64,
    slots: Slots,
    known: Known,
    allowance: Allowance,
    sources: Sources,
    /// The minute in which directives are counted, and how many were obeyed in it.
    minute: (Moment, u64),
    counts: Counts,
}

/// What happened so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Everything that came.
    pub received: u64,
    /// What was obeyed.
    pub applied: u64,
    /// What had been obeyed before.
    pub repeated: u64,
    /// What was over when it came, or has ended since.
    pub expired: u64,
    /// What was refused, by its reason.
    pub refused: BTreeMap<Why, u64>,
}

/// What follows from a directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// To be sent back in the same session; `None` where not even an id could be read.
    pub acknowledgement: Option<Acknowledgement>,
    /// What the driver has to do now.
    pub effect: Effect,
}

/// What the driver has to do about a directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// Ask again what concerns this kind: waiting connections for a hold or its end, moving for a switch.
    Changed(Kind),
    /// Do this once: a flush, a refresh, or the end of collections. Acknowledge it as done, or failed, when it is.
    Once(Action),
}

impl Receiver {
    /// A client that was told nothing yet.
    ///
    /// `can` is what the driver has, as announced. `seed` is random for each process: it spreads clients.
    pub fn new(policy: Policy, can: Kinds, seed: u64) -> Receiver {
        let can = if cfg!(feature = "rules") { can } else { can.without(Kind::Rule) };
        Receiver {
            policy,
            can,
            seed,
            slots: Slots::default(),
            known: Known::default(),
            allowance: Allowance::default(),
            sources: Sources::default(),
            minute: (Moment::default(), 0),
            counts: Counts::default(),
        }
    }

    /// The owner's limits.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What the driver has, for its announcement.
    pub fn can(&self) -> Kinds {
        self.can
    }

    /// Takes a directive as it came.
    ///
    /// `session` is the token that this client announced in the session in which it came, `calendar_s` the client's
    /// calendar in seconds since 1970, for signatures alone.
    pub fn receive(&mut self, bytes: &[u8], session: Option<&str>, now: Moment, calendar_s: u64) -> Received {
        self.counts.received += 1;
        let (id, outcome, effect) = match decode(bytes) {
            Err(unreadable) => (unreadable.id, Err(unreadable.refusal), Effect::Nothing),
            Ok(directive) => {
                let id = directive.id.clone();
                match self.obey(directive, session, now, calendar_s) {
                    Ok((outcome, effect)) => (Some(id), Ok(outcome), effect),
                    Err(refusal) => (Some(id), Err(refusal), Effect::Nothing),
                }
            }
        };
        let outcome = outcome.unwrap_or_else(|refusal| {
            *self.counts.refused.entry(refusal.why).or_default() += 1;
            refusal.into()
        });
        Received { acknowledgement: id.map(|id| Acknowledgement { id, outcome }), effect }
    }

    fn obey(
        &mut self,
        directive: Directive,
        session: Option<&str>,
        now: Moment,
        calendar_s: u64,
    ) -> Result<(Outcome, Effect), Refusal> {
        if directive.session.as_deref() != session {
            return Err(Refusal::new(Why::Session, "session"));
        }
        if let Some(outcome) = self.known.outcome(&directive.id) {
            self.counts.repeated += 1;
            return Ok((outcome.clone(), Effect::Nothing));
        }
        if directive.lifetime_ms == 0 {
            self.counts.expired += 1;
            return Ok((Outcome::Expired, Effect::Nothing));
        }
        let kind = directive.kind();
        if !self.can.has(kind) {
            return Err(Refusal::new(Why::Unsupported, kind.name()));
        }
        if !self.policy.allow.has(kind) {
            return Err(Refusal::new(Why::NotAllowed, kind.name()));
        }
        let slot = directive.slot();
        if slot.as_ref().and_then(|slot| self.slots.order(slot)).is_some_and(|order| directive.order <= order)
        {
            return Err(Refusal::new(Why::Stale, "order"));
        }
        let lifetime_ms = self.vet(&directive, now, calendar_s)?;
        if slot.as_ref().is_some_and(|slot| !self.slots.room_for(slot, now)) {
            return Err(Refusal::new(Why::Full, "slots"));
        }
        self.count_minute(now)?;
        let id = directive.id.clone();
        let (lifetime_ms, effect) = self.apply(directive, slot, lifetime_ms, now)?;
        let outcome = Outcome::Applied { lifetime_ms };
        self.known.remember(&id, outcome.clone());
        self.counts.applied += 1;
        Ok((outcome, effect))
    }

    /// A fixed window is enough: it bounds work, and need not be fair.
    fn count_minute(&mut self, now: Moment) -> Result<(), Refusal> {
        let (began, count) = &mut self.minute;
        if now >= began.after_ms(60_000) {
            (*began, *count) = (now, 0);
        }
        if *count >= self.policy.directives_per_minute {
            return Err(Refusal::new(Why::TooMany, "directives in a minute"));
        }
        *count += 1;
        Ok(())
    }

    /// Everything is allowed, known and in order.
    fn apply(
        &mut self,
        directive: Directive,
        slot: Option<Slot>,
        lifetime_ms: u64,
        now: Moment,
    ) -> Result<(u64, Effect), Refusal> {
        let (kind, order) = (directive.kind(), directive.order);
        let effect = match (&directive.action, slot) {
            (Action::Hold(hold), Some(slot)) => {
                let held_ms = self.hold(hold, &directive, slot, lifetime_ms, now)?;
                return Ok((held_ms, Effect::Changed(kind)));
            }
            (Action::Resume(resume), Some(slot)) => {
                self.resume(resume.spread_ms, &directive, slot, now);
                Effect::Changed(kind)
            }
            (Action::Deactivate(_), Some(slot)) => {
                self.slots.write(slot, order, None, now);
                Effect::Changed(kind)
            }
            (Action::StopCollecting(_), slot) => {
                match slot {
                    Some(slot) => self.slots.write(slot, order, None, now),
                    None => drop(self.slots.end(|held| held.action.kind() == Kind::Collect)),
                }
                Effect::Once(directive.action)
            }
            (Action::Revoke(revoke), _) => self.revoke(&revoke.directive, now),
            (_, Some(slot)) => {
                if let Action::DataSource(source) = &directive.action {
                    self.sources.change(source)?;
                }
                // A rate that is said again does not begin again.
                let due_us = self.slots.held(&slot, now).map_or(0, |held| held.due_us);
                let held = Held { until: now.after_ms(lifetime_ms), due_us, ..Held::new(&directive, now) };
                self.slots.write(slot, order, Some(held), now);
                Effect::Changed(kind)
            }
            (_, None) => Effect::Once(directive.action),
        };
        Ok((lifetime_ms, effect))
    }

    fn revoke(&mut self, id: &str, now: Moment) -> Effect {
        let kind =
            self.slots.iter(now).find(|(_, _, held)| held.id == id).map(|(_, _, held)| held.action.kind());
        self.release(id, now);
        self.slots.end(|held| held.id == id && !matches!(held.action, Action::Hold(_)));
        self.known.remember(id, Outcome::Expired);
        kind.map_or(Effect::Nothing, Effect::Changed)
    }

    /// Drops what is over, and says so. To be called now and then, such as every second; nothing depends on when.
    pub fn expire(&mut self, now: Moment) -> Vec<Acknowledgement> {
        let ended = self.slots.end(|held| held.until <= now);
        self.counts.expired += ended.len() as u64;
        let expired = ended.into_iter().map(|held| {
            self.known.remember(&held.id, Outcome::Expired);
            Acknowledgement { id: held.id, outcome: Outcome::Expired }
        });
        expired.collect()
    }

    /// This client's own share of a window.
    fn jitter_ms(&self, what: &str, width_ms: u64) -> u64 {
        jitter_ms(self.seed, what, width_ms)
    }
}
