//! Which actions are due: each at its own pace, however many conditions ask for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use conditions::{Action, Kind, Raised};
use tokio::time::Instant;

use crate::limits::{CANCEL_PAUSE, CHECKPOINT_PAUSE, UNLOAD_PAUSE};

/// What is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// This, because of that condition.
    Do {
        /// What.
        action: Action,
        /// Because of what.
        kind: Kind,
    },
    /// This would be done, but for the dry run. Said once for as long as it is wanted.
    Would {
        /// What.
        action: Action,
        /// Because of what.
        kind: Kind,
    },
    /// New sessions are taken again.
    Admit,
}

/// What was done lately.
#[derive(Debug, Default)]
pub struct Plan {
    last: BTreeMap<Action, Instant>,
    refusing: bool,
    said: BTreeSet<(Action, Kind)>,
}

impl Plan {
    /// What is due while these are raised.
    pub fn next(&mut self, raised: &[Raised], now: Instant) -> Vec<Due> {
        let wanted = |dry: bool| {
            let of = raised.iter().filter(move |raised| raised.dry_run == dry);
            of.flat_map(|raised| raised.actions.iter().map(|action| (*action, raised.kind.clone())))
        };
        let mut first: BTreeMap<Action, Kind> = BTreeMap::new();
        for (action, kind) in wanted(false) {
            first.entry(action).or_insert(kind);
        }
        let mut due = Vec::new();
        if self.refusing && !first.contains_key(&Action::RefuseSessions) {
            self.refusing = false;
            due.push(Due::Admit);
        }
        for (action, kind) in first {
            let rested = |last: &Instant| now.saturating_duration_since(*last) >= pause(action);
            if self.last.get(&action).is_none_or(rested) {
                self.last.insert(action, now);
                self.refusing |= action == Action::RefuseSessions;
                due.push(Due::Do { action, kind });
            }
        }
        let dry: BTreeSet<_> = wanted(true).collect();
        due.extend(
            dry.difference(&self.said)
                .map(|(action, kind)| Due::Would { action: *action, kind: kind.clone() }),
        );
        self.said = dry;
        due
    }
}

/// How long after it an action may be done again.
fn pause(action: Action) -> Duration {
    match action {
        Action::UnloadIdle => UNLOAD_PAUSE,
        Action::CancelWorst => CANCEL_PAUSE,
        Action::Checkpoint => CHECKPOINT_PAUSE,
        // It is a state, and setting it again changes nothing.
        Action::RefuseSessions => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use conditions::Scope;

    use super::*;

    fn raised(kind: &str, actions: &[Action], dry_run: bool) -> Raised {
        Raised {
            kind: kind.parse().expect(kind),
            scope: Scope::Server,
            since: std::time::Instant::now(),
            evidence: String::new(),
            declared: false,
            actions: actions.into(),
            dry_run,
        }
    }

    fn shown(due: Vec<Due>) -> Vec<String> {
        let one = |due| match due {
            Due::Do { action, kind } => format!("{action} for {kind}"),
            Due::Would { action, kind } => format!("would {action} for {kind}"),
            Due::Admit => "admit".into(),
        };
        due.into_iter().map(one).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn r51_each_action_is_done_at_its_own_pace_and_once_for_several_conditions() {
        let now = Instant::now();
        let both = [
            raised("a", &[Action::CancelWorst], false),
            raised("b", &[Action::CancelWorst, Action::UnloadIdle], false),
        ];
        let mut plan = Plan::default();
        assert_eq!(shown(plan.next(&both, now)), ["unload_idle for b", "cancel_worst for a"]);
        assert_eq!(shown(plan.next(&both, now)), [""; 0]);
        assert_eq!(shown(plan.next(&both, now + UNLOAD_PAUSE)), ["unload_idle for b"]);
        assert_eq!(shown(plan.next(&both[..1], now + CANCEL_PAUSE)), ["cancel_worst for a"]);
    }

    #[tokio::test(start_paused = true)]
    async fn r51_sessions_are_taken_again_when_no_condition_is_against_it() {
        let now = Instant::now();
        let (one, two) =
            (raised("a", &[Action::RefuseSessions], false), raised("b", &[Action::RefuseSessions], false));
        let mut plan = Plan::default();
        assert_eq!(shown(plan.next(&[one.clone(), two.clone()], now)), ["refuse_sessions for a"]);
        assert_eq!(shown(plan.next(&[two], now)), ["refuse_sessions for b"]);
        assert_eq!(shown(plan.next(&[], now)), ["admit"]);
        assert_eq!(shown(plan.next(&[], now)), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn r51_a_dry_run_says_once_what_would_be_done() {
        let now = Instant::now();
        let dry = [raised("a", &[Action::RefuseSessions, Action::Checkpoint], true)];
        let mut plan = Plan::default();
        let would = ["would refuse_sessions for a", "would checkpoint for a"];
        assert_eq!(shown(plan.next(&dry, now)), would);
        assert_eq!(shown(plan.next(&dry, now + CHECKPOINT_PAUSE)), [""; 0]);
        assert_eq!(shown(plan.next(&[], now)), [""; 0], "nothing was refused");
        assert_eq!(shown(plan.next(&dry, now)), would, "it is raised anew");
    }
}
