//! From conditions to directives: tells every client that a condition concerns, and those that come while it lasts (R47).
//!
//! What holds is said again before its lifetime is half over, and taken back when the condition is cleared, so a lost
//! directive is made good by the next one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use conditions::{Change, Kind, Scope, Tell};
use directive::{
    Action, Directive, Order,
    action::{Resume, Revoke},
};
use model::TimestampMs;
use tokio::time::Instant;

use super::roster::{Place, Roster};
use crate::environment::Sink;

/// Speaks to the clients of a server. Cheap to clone.
#[derive(Clone)]
pub struct Herald(Arc<Shared>);

struct Shared {
    roster: Roster,
    clock: fn() -> TimestampMs,
    /// Makes ids unique among servers and lives.
    life: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    count: u64,
    current: BTreeMap<(Kind, Scope), Vec<Said>>,
}

/// What is in force because of one condition.
struct Said {
    tell: Tell,
    evidence: String,
    /// The last directive that said it.
    directive: Directive,
    at: Instant,
}

impl Herald {
    /// Has said nothing yet.
    pub fn new(roster: Roster, clock: fn() -> TimestampMs) -> Self {
        Self(Arc::new(Shared { roster, clock, life: rand::random(), state: Mutex::default() }))
    }

    /// Tells a session that has announced itself what is in force.
    pub fn greet(&self, place: &Place) {
        let state = self.state();
        let concerned = state.current.iter().filter(|((_, scope), _)| place.is_in(*scope));
        concerned.flat_map(|(_, said)| said).for_each(|said| {
            place.outbox().put(&said.directive);
        });
    }

    /// Says again what would soon be over.
    pub fn say_again(&self, now: Instant) {
        let mut state = self.state();
        let State { count, current } = &mut *state;
        for ((kind, scope), all) in current {
            for said in
                all.iter_mut().filter(|said| now.saturating_duration_since(said.at) > said.tell.lifetime / 2)
            {
                said.directive = self.0.directive(count, &said.tell, &said.evidence);
                said.at = now;
                self.0.send(kind, *scope, &said.directive);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Herald {
    fn changed(&self, change: &Change) {
        let mut state = self.state();
        let key = (change.kind.clone(), change.scope);
        let before = state.current.remove(&key).unwrap_or_default();
        if !change.raised {
            for said in before {
                let directive = self.0.end(&mut state.count, said.directive);
                self.0.send(&change.kind, change.scope, &directive);
            }
            return;
        }
        let now = Instant::now();
        let say = |tell: &Tell| {
            let directive = self.0.directive(&mut state.count, tell, &change.evidence);
            self.0.send(&change.kind, change.scope, &directive);
            Said { tell: tell.clone(), evidence: change.evidence.clone(), directive, at: now }
        };
        let said: Vec<Said> = change.tells.iter().map(say).collect();
        if !said.is_empty() {
            state.current.insert(key, said);
        }
    }
}

impl Shared {
    fn name(&self, count: &mut u64) -> (String, Order) {
        *count += 1;
        let micros = (self.clock)().0.saturating_mul(1000);
        // Several within a millisecond are still in order.
        (format!("{:016x}.{count}", self.life), Order { epoch: 0, sequence: micros + *count % 1000 })
    }

    fn directive(&self, count: &mut u64, tell: &Tell, evidence: &str) -> Directive {
        let (id, order) = self.name(count);
        tell.directive(id, order, evidence)
    }

    /// Takes a directive back.
    fn end(&self, count: &mut u64, said: Directive) -> Directive {
        let (id, order) = self.name(count);
        let action = match &said.action {
            // Who waits comes back spread over a while.
            Action::Hold(hold) => Action::Resume(Resume { spread_ms: hold.spread_ms }),
            _ => Action::Revoke(Revoke { directive: said.id.clone() }),
        };
        Directive { id, order, lifetime_ms: 60_000, action, ..said }
    }

    fn send(&self, kind: &Kind, scope: Scope, directive: &Directive) {
        let sessions = self.roster.tell(scope, directive);
        let Directive { id, action, .. } = directive;
        tracing::info!(condition = %kind, %scope, directive = id, action = %action.kind(), sessions, "clients are told");
    }
}
