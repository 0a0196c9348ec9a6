//! May I send (R81).
//!
//! The generic cell rate algorithm: a rate remembers when the next operation is due. Whoever waits has reserved its turn,
//! so operations go in the order in which they asked, and nobody asks twice.

use crate::{
    Action, Moment, Target,
    action::{Excess, Operations, Rate},
    policy::WaitOrFail,
};

use super::{Receiver, connect::Blocked, slots::Held};

/// What becomes of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permit {
    /// Send it.
    Go,
    /// Send it after so many milliseconds, without asking again.
    WaitMs(u64),
    /// Tell the application at once; nothing was reserved.
    Refused(Blocked),
}

impl Receiver {
    /// Asks for one operation, a [`Read`](Operations::Read) or a [`Write`](Operations::Write), on `target`.
    /// `deadline_ms` is what the call has left.
    pub fn permit(
        &mut self,
        of: Operations,
        target: &Target<'_>,
        deadline_ms: Option<u64>,
        now: Moment,
    ) -> Permit {
        let counted = |held: &Held| match &held.action {
            Action::Rate(rate) => (rate.of == Operations::All || rate.of == of) && held.scope.covers(target),
            _ => false,
        };
        let now_us = now.0.saturating_mul(1_000);
        let rates = self.slots.iter(now).filter(|(_, _, held)| counted(held));
        let waits = rates.filter_map(|(_, _, held)| Some((wait_us(held, now_us)?, held)));
        if let Some((wait_us, held)) = waits.max_by_key(|(wait_us, _)| *wait_us) {
            let left_ms = wait_us.div_ceil(1_000);
            let fails =
                matches!(&held.action, Action::Rate(Rate { excess: Excess::Fail, .. })) && left_ms > 0;
            if fails || self.policy.wait_or_fail(left_ms, deadline_ms) == WaitOrFail::Fail {
                let Held { id, reason, .. } = held;
                return Permit::Refused(Blocked { left_ms, id: id.clone(), reason: reason.clone() });
            }
            for held in self.slots.iter_mut(now).filter(|held| counted(held)) {
                held.due_us = held.due_us.max(now_us).saturating_add(period_us(held).unwrap_or_default());
            }
            return if left_ms == 0 { Permit::Go } else { Permit::WaitMs(left_ms) };
        }
        Permit::Go
    }
}

/// Between operations at full rate.
fn period_us(held: &Held) -> Option<u64> {
    match &held.action {
        Action::Rate(Rate { per_second: Some(per_second), .. }) => Some(1_000_000 / per_second),
        _ => None,
    }
}

/// Until it may go; `None` where there is no limit.
fn wait_us(held: &Held, now_us: u64) -> Option<u64> {
    let Action::Rate(rate) = &held.action else { return None };
    let ahead_us = period_us(held)?.saturating_mul(rate.burst.unwrap_or(1) - 1);
    Some(held.due_us.saturating_sub(now_us).saturating_sub(ahead_us))
}
