//! May I connect now, and where am I to go on (R70, R75).

use crate::{
    Action, Directive, Kind, Moment, Refusal, Slot, Target, Why,
    action::{Hold, Switch, SwitchTo},
};

use super::{Receiver, slots::Held};

/// Why a client may not connect yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// How long it is to wait, in milliseconds; its own share of the spread included.
    pub left_ms: u64,
    /// The directive that says so.
    pub id: String,
    /// Its reason, for the application.
    pub reason: String,
}

/// Where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwitchNow<'a> {
    /// The directive that says so, to be acknowledged as done or failed.
    pub id: &'a str,
    /// What it says.
    pub switch: &'a Switch,
    /// How long it is to be tried, in milliseconds.
    pub left_ms: u64,
}

impl Receiver {
    /// Whether this client may connect to `target` now; the hold that lasts longest, if not.
    ///
    /// The answer does not change from call to call, unless something is received: waiting it out once is enough.
    pub fn connect(&self, target: &Target<'_>, now: Moment) -> Result<(), Blocked> {
        let holds = self.slots.iter(now).filter_map(|(_, _, held)| match &held.action {
            Action::Hold(hold) if held.scope.covers(target) => Some((self.own_end(held, hold), held)),
            _ => None,
        });
        match holds.max_by_key(|(end, _)| *end) {
            Some((end, held)) if end > now => {
                Err(Blocked { left_ms: end.ms_from(now), id: held.id.clone(), reason: held.reason.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The switch that a session on `target` is to make, if it is not there yet.
    /// For [`SwitchTo::Handler`] the caller knows whether it is.
    pub fn switch(&self, target: &Target<'_>, now: Moment) -> Option<SwitchNow<'_>> {
        let held = self.slots.covering(Kind::Switch, target, now).into_iter().next()?;
        let Action::Switch(switch) = &held.action else { return None };
        let there = match &switch.to {
            SwitchTo::Address(address) => target.servers.contains(&address.as_str()),
            SwitchTo::Handler => false,
        };
        (!there).then_some(SwitchNow { id: &held.id, switch, left_ms: held.until.ms_from(now) })
    }

    /// When a hold ends for this client: [`Held::until`] is the end of the window.
    fn own_end(&self, held: &Held, hold: &Hold) -> Moment {
        let opens = Moment(held.until.0.saturating_sub(hold.spread_ms));
        opens.after_ms(self.jitter_ms(&held.id, hold.spread_ms))
    }

    /// Holds, window included, for as long as the owner allows; the answer is how long without the window.
    pub(super) fn hold(
        &mut self,
        asked: &Hold,
        directive: &Directive,
        slot: Slot,
        lifetime_ms: u64,
        now: Moment,
    ) -> Result<u64, Refusal> {
        let mut allowance = self.allowance.clone();
        // What the slot held is replaced: its rest is not to be paid for twice.
        allowance.give_back(self.holds_end(Some(&slot), now), now);
        let whole_ms = allowance.take(lifetime_ms + asked.spread_ms, self.policy.hold_ms_max, now);
        if whole_ms == 0 {
            return Err(Refusal::new(Why::Limit, "hold"));
        }
        self.allowance = allowance;
        let spread_ms = asked.spread_ms.min(whole_ms);
        let held = Held { action: Action::Hold(Hold { spread_ms }), ..Held::new(directive, now) };
        let held = Held { until: now.after_ms(whole_ms), ..held };
        self.slots.write(slot, directive.order, Some(held), now);
        Ok(whole_ms - spread_ms)
    }

    /// Turns the hold of the slot, if there is one, into a window that opens now, and is never longer than the hold.
    pub(super) fn resume(&mut self, spread_ms: u64, directive: &Directive, slot: Slot, now: Moment) {
        let left_ms = self.slots.held(&slot, now).map_or(0, |held| held.until.ms_from(now));
        let spread_ms = spread_ms.min(left_ms);
        let held = Held { action: Action::Hold(Hold { spread_ms }), ..Held::new(directive, now) };
        let window = Held { until: now.after_ms(spread_ms), ..held };
        self.slots.write(slot, directive.order, Some(window), now);
        self.give_back_hold(now);
    }

    /// The same for a hold that is taken back: its own window opens now.
    pub(super) fn release(&mut self, id: &str, now: Moment) {
        for held in self.slots.iter_mut(now).filter(|held| held.id == id) {
            if let Action::Hold(hold) = &mut held.action {
                hold.spread_ms = hold.spread_ms.min(held.until.ms_from(now));
                held.until = now.after_ms(hold.spread_ms);
            }
        }
        self.give_back_hold(now);
    }

    fn give_back_hold(&mut self, now: Moment) {
        self.allowance.give_back(self.holds_end(None, now), now);
    }

    /// When the last hold ends, but for that of one slot.
    fn holds_end(&self, except: Option<&Slot>, now: Moment) -> Moment {
        let holds = self
            .slots
            .iter(now)
            .filter(|(slot, _, held)| matches!(held.action, Action::Hold(_)) && Some(*slot) != except);
        holds.map(|(_, _, held)| held.until).max().unwrap_or(now)
    }
}
