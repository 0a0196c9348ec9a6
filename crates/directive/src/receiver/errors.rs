//! What to do about an error of a server (R68, R72, R73).
//!
//! A rule that says yes goes first, then the error policies, then a directive to retry, then the table of this file.
//! Whatever they say, nothing is sent again that may have had an effect.

use crate::{
    Action, Kind, Moment, Target,
    action::{On, Operations, React},
    limits,
};

use super::Receiver;

/// What is known about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Five characters; what is not is treated as an unknown class. For errors that the client found itself: 08006.
    pub sqlstate: &'a str,
    /// How often the request has been sent again already.
    pub attempts: u64,
    /// It is certain that the request had no effect, and that sending it again repeats nothing:
    /// not in an open transaction, and settled, rolled back, or never sent.
    pub harmless: bool,
    /// What kind of operation it was.
    pub of: Operations,
    /// The table that the error names, or nothing.
    pub table: &'a str,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Tell the application.
    Fail,
    /// Wait so many milliseconds, then send it again on the same session.
    RetryAfter(u64),
    /// Wait so many milliseconds, open another session, and send it again there.
    ReconnectAfter(u64),
}

/// A reaction with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaction {
    /// What to do.
    pub react: React,
    /// How often.
    pub attempts: u64,
    /// Pause before the first further try, in milliseconds.
    pub delay_ms: u64,
}

impl Reaction {
    const FAIL: Reaction = Reaction { react: React::Fail, attempts: 0, delay_ms: 0 };

    const fn new(react: React, attempts: u64, delay_ms: u64) -> Reaction {
        Reaction { react, attempts, delay_ms }
    }

    /// What a driver does that was told nothing. An unknown class is the application's (R68).
    pub fn default_for(sqlstate: &str) -> Reaction {
        let class = sqlstate.get(..2).unwrap_or_default();
        match (sqlstate, class) {
            // The outcome is unknown, by name.
            ("08007" | "40003", _) => Reaction::FAIL,
            // The protocol was broken, or a constraint was: again would be the same.
            ("08P01" | "40002", _) => Reaction::FAIL,
            (_, "08") => Reaction::new(React::Reconnect, 3, 100),
            (_, "40") => Reaction::new(React::Retry, 3, 20),
            ("53300", _) => Reaction::new(React::Reconnect, 3, 500),
            (_, "53") => Reaction::new(React::Retry, 3, 500),
            ("55P03", _) => Reaction::new(React::Retry, 3, 50),
            // Shut down, crashed, cannot connect now, database dropped or moved.
            ("57P01" | "57P02" | "57P03" | "57P05", _) => Reaction::new(React::Reconnect, 5, 200),
            // A session on a server that is not the primary any more.
            ("25006", _) => Reaction::new(React::Reconnect, 3, 200),
            _ => Reaction::FAIL,
        }
    }
}

impl Receiver {
    /// What to do about an error on `target`.
    pub fn on_error(&self, failure: &Failure<'_>, target: &Target<'_>, now: Moment) -> Advice {
        let Reaction { react, attempts, delay_ms } = self.reaction(failure, target, now);
        if !failure.harmless || failure.attempts >= attempts {
            return Advice::Fail;
        }
        let longest_ms = limits::DELAY_MS_MAX.min(self.policy.wait_ms_max);
        let doubled = delay_ms.saturating_mul(1 << failure.attempts.min(16)).min(longest_ms);
        let what = format!("{}/{}", failure.sqlstate, failure.attempts);
        // Between half and all of it.
        let pause_ms = doubled - self.jitter_ms(&what, doubled / 2 + 1);
        match react {
            React::Fail => Advice::Fail,
            React::Retry => Advice::RetryAfter(pause_ms),
            React::Reconnect => Advice::ReconnectAfter(pause_ms),
        }
    }

    /// What is said about such an error.
    pub fn reaction(&self, failure: &Failure<'_>, target: &Target<'_>, now: Moment) -> Reaction {
        #[cfg(feature = "rules")]
        if let Some(reaction) = self.by_rule(failure, target, now) {
            return reaction;
        }
        if let Some(reaction) = self.by_policy(failure.sqlstate, target, now) {
            return reaction;
        }
        let reaction = Reaction::default_for(failure.sqlstate);
        match self.slots.covering(Kind::Retry, target, now).first().map(|held| &held.action) {
            Some(Action::Retry(retry)) if reaction.react != React::Fail => {
                Reaction { attempts: retry.attempts, delay_ms: retry.delay_ms, ..reaction }
            }
            _ => reaction,
        }
    }

    /// The most particular scope that speaks of it; in there the whole code goes before its class.
    fn by_policy(&self, sqlstate: &str, target: &Target<'_>, now: Moment) -> Option<Reaction> {
        let class = sqlstate.get(..2)?;
        self.slots.covering(Kind::ErrorPolicy, target, now).into_iter().find_map(|held| {
            let Action::ErrorPolicy(policy) = &held.action else { return None };
            let rule = |code: &str| policy.rules.iter().find(|rule| rule.on.as_str() == code);
            let rule = On::new(sqlstate).and_then(|_| rule(sqlstate)).or_else(|| rule(class))?;
            Some(Reaction::new(rule.react, rule.attempts, rule.delay_ms))
        })
    }

    #[cfg(feature = "rules")]
    fn by_rule(&self, failure: &Failure<'_>, target: &Target<'_>, now: Moment) -> Option<Reaction> {
        self.slots.covering(Kind::Rule, target, now).into_iter().find_map(|held| {
            let Action::Rule(rule) = &held.action else { return None };
            let yes = crate::rule::evaluate(&rule.expression, failure, target);
            yes.then(|| Reaction::new(rule.react, rule.attempts, rule.delay_ms))
        })
    }
}
