//! Whether a client's owner wants what is asked for, and whether the client has what it is about.

use crate::{
    Action, Directive, Moment, Policy, Refusal, Slot, Why,
    action::{DataSource, SourceChange, SwitchTo},
    signature,
};

use super::Receiver;

impl Receiver {
    /// For how long it may hold, in milliseconds.
    pub(super) fn vet(&self, directive: &Directive, now: Moment, calendar_s: u64) -> Result<u64, Refusal> {
        let lifetime_ms = directive.lifetime_ms.min(self.policy.lifetime_ms_max);
        let Policy { addresses, destinations, routines, subjects, keys, .. } = &self.policy;
        match &directive.action {
            Action::Switch(switch) => match &switch.to {
                SwitchTo::Address(address) if !addresses.allow_address(address) => {
                    return Err(Refusal::new(Why::NotAllowed, "address"));
                }
                SwitchTo::Address(_) | SwitchTo::Handler => {}
            },
            Action::Rate(rate)
                if rate.per_second.is_some_and(|rate| rate < self.policy.rate_per_second_min) =>
            {
                return Err(Refusal::new(Why::Limit, "per_second"));
            }
            Action::Collect(collect) if collect.of.iter().any(|subject| !subjects.contains(subject)) => {
                return Err(Refusal::new(Why::NotAllowed, "of"));
            }
            Action::Upload(upload) if !destinations.contains(&upload.destination) => {
                return Err(Refusal::new(Why::NotAllowed, "destination"));
            }
            Action::Activate(activate) if !routines.contains(&activate.routine) => {
                return Err(Refusal::new(Why::Unknown, "routine"));
            }
            Action::Deactivate(deactivate) if !routines.contains(&deactivate.routine) => {
                return Err(Refusal::new(Why::Unknown, "routine"));
            }
            Action::FanOut(_) => self.vet_version(directive, now)?,
            Action::DataSource(source) => {
                self.vet_version(directive, now)?;
                self.vet_source(source)?;
            }
            Action::Update(update) => {
                signature::verify(keys, &update.key, &signature::update_text(update), &update.signature)?;
            }
            Action::Rule(rule) => {
                signature::verify(keys, &rule.key, &signature::rule_text(rule), &rule.signature)?;
                let left_ms = (rule.not_after + 1).saturating_sub(calendar_s).saturating_mul(1_000);
                if left_ms == 0 {
                    return Err(Refusal::new(Why::Signature, "not_after"));
                }
                #[cfg(feature = "rules")]
                crate::rule::check(&rule.expression)?;
                return Ok(lifetime_ms.min(left_ms));
            }
            Action::Hold(_)
            | Action::Resume(_)
            | Action::Retry(_)
            | Action::ErrorPolicy(_)
            | Action::Information(_)
            | Action::Collect(_)
            | Action::StopCollecting(_)
            | Action::Upload(_)
            | Action::Rate(_)
            | Action::Flush(_)
            | Action::Refresh(_)
            | Action::Activate(_)
            | Action::Deactivate(_)
            | Action::Revoke(_) => {}
        }
        Ok(lifetime_ms)
    }

    /// A version goes up, or says again what it said.
    fn vet_version(&self, directive: &Directive, now: Moment) -> Result<(), Refusal> {
        let slot: Option<Slot> = directive.slot();
        let Some(held) = slot.and_then(|slot| self.slots.held(&slot, now)) else { return Ok(()) };
        let newer = match (&held.action, &directive.action) {
            (Action::FanOut(old), Action::FanOut(new)) => new.version > old.version,
            (Action::DataSource(old), Action::DataSource(new)) => new.version > old.version,
            _ => false,
        };
        if newer || held.action == directive.action {
            Ok(())
        } else {
            Err(Refusal::new(Why::Stale, "version"))
        }
    }

    fn vet_source(&self, source: &DataSource) -> Result<(), Refusal> {
        if let SourceChange::Set(parameters) = &source.change
            && let Some(host) = parameters.get("host")
            && !self.policy.addresses.allow(host, parameters.get("port").map(String::as_str))
        {
            return Err(Refusal::new(Why::NotAllowed, "host"));
        }
        self.sources.vet(source)
    }
}
