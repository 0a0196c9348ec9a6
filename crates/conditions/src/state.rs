//! How far one condition is, in one scope: pending, raised, on its way back.

use std::time::Instant;

use crate::{Combine, Rule, clause::Standing};

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum State {
    /// Nothing is wrong.
    #[default]
    Quiet,
    /// The clauses hold, but not for long enough.
    Pending {
        /// Since when.
        since: Instant,
    },
    /// It is raised.
    Raised {
        /// Since when.
        since: Instant,
        /// Since when the clauses are clear again, if they are.
        clear_since: Option<Instant>,
        /// What it was raised on.
        evidence: String,
    },
}

/// What became of a state.
#[derive(Clone, Debug, PartialEq)]
pub enum Turn {
    /// Nothing.
    None,
    /// It was raised.
    Raised,
    /// It was cleared, and had been raised then on that evidence.
    Cleared(Instant, String),
}

/// How all clauses of a rule stand together.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is so, and this is why.
    Holds(String),
    /// Neither clearly so nor clearly not.
    Between,
    /// It is not so.
    Clear,
}

impl Verdict {
    /// Of these clauses.
    pub fn of(combine: Combine, clauses: impl Iterator<Item = Standing>) -> Self {
        let (mut holding, mut clear, mut all) = (Vec::new(), 0, 0);
        for standing in clauses {
            all += 1;
            match standing {
                Standing::Holds(evidence) => holding.push(evidence),
                Standing::Between => {}
                Standing::Clear => clear += 1,
            }
        }
        let (holds, clears) = match combine {
            Combine::All => (all > 0 && holding.len() == all, clear > 0 || all == 0),
            Combine::Any => (!holding.is_empty(), clear == all),
        };
        match (holds, clears) {
            (true, _) => Self::Holds(holding.join(" and ")),
            (false, true) => Self::Clear,
            (false, false) => Self::Between,
        }
    }
}

impl State {
    /// Goes on with how the rule's clauses stand now.
    pub fn next(&mut self, rule: &Rule, verdict: Verdict, now: Instant) -> Turn {
        let long = |since: Instant, enough| now.saturating_duration_since(since) >= enough;
        match (&mut *self, verdict) {
            (Self::Quiet, Verdict::Holds(evidence)) if rule.held_for.is_zero() => self.raise(evidence, now),
            (Self::Quiet, Verdict::Holds(_)) => {
                *self = Self::Pending { since: now };
                Turn::None
            }
            (Self::Pending { since }, Verdict::Holds(evidence)) if long(*since, rule.held_for) => {
                self.raise(evidence, now)
            }
            (Self::Pending { .. }, Verdict::Holds(_)) | (Self::Quiet, _) => Turn::None,
            // It has to hold without a pause.
            (Self::Pending { .. }, Verdict::Between | Verdict::Clear) => {
                *self = Self::Quiet;
                Turn::None
            }
            (Self::Raised { clear_since, .. }, Verdict::Holds(_) | Verdict::Between) => {
                *clear_since = None;
                Turn::None
            }
            (Self::Raised { clear_since, since, evidence }, Verdict::Clear) => {
                let clear = *clear_since.get_or_insert(now);
                if !long(clear, rule.clear_for) {
                    return Turn::None;
                }
                let turn = Turn::Cleared(*since, std::mem::take(evidence));
                *self = Self::Quiet;
                turn
            }
        }
    }

    fn raise(&mut self, evidence: String, now: Instant) -> Turn {
        *self = Self::Raised { since: now, clear_since: None, evidence };
        Turn::Raised
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_combine_with_their_thresholds_for_the_way_back() {
        use Combine::{All, Any};
        let holds = || Standing::Holds("x".into());
        let (between, clear) = (|| Standing::Between, || Standing::Clear);
        for (combine, standings, expected) in [
            (All, vec![holds(), holds()], Verdict::Holds("x and x".into())),
            (All, vec![holds(), between()], Verdict::Between),
            (All, vec![holds(), clear()], Verdict::Clear),
            (Any, vec![holds(), clear()], Verdict::Holds("x".into())),
            (Any, vec![between(), clear()], Verdict::Between),
            (Any, vec![clear(), clear()], Verdict::Clear),
            (All, vec![], Verdict::Clear),
            (Any, vec![], Verdict::Clear),
        ] {
            assert_eq!(
                Verdict::of(combine, standings.clone().into_iter()),
                expected,
                "{combine:?} {standings:?}"
            );
        }
    }
}
