//! From events to conditions, one step at a time.

mod declared;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use self::declared::Declared;
use crate::{
    Action, Event, Filter, Kind, Passage, Per, Rule, Rules, Scope, Source, Tell,
    limits::{DECLARED_MAX, WINDOWS_MAX},
    posted::Declaration,
    state::{State, Turn, Verdict},
    window::Window,
};

/// Decides which conditions are raised.
#[derive(Debug)]
pub struct Detector {
    rules: Arc<Rules>,
    filter: Filter,
    windows: BTreeMap<(Source, Scope), Window>,
    states: BTreeMap<(Kind, Scope), State>,
    declared: BTreeMap<(Kind, Scope), Declared>,
    /// What the posts of sources outside said of them: whether they may affect performance, and foretell failure.
    classes: BTreeMap<Source, (bool, bool)>,
    passage: Passage,
}

/// A condition was raised or cleared.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which.
    pub kind: Kind,
    /// Of what.
    pub scope: Scope,
    /// Whether it was raised.
    pub raised: bool,
    /// Since when it is, or was, raised.
    pub since: Instant,
    /// What it was raised on, in words.
    pub evidence: String,
    /// What the rules want done about it, unless there is no rule for it.
    pub actions: Vec<Action>,
    /// Whether that is only to be logged.
    pub dry_run: bool,
    /// What clients are to be told while it is raised.
    pub tells: Vec<Tell>,
}

/// A condition that is raised.
#[derive(Clone, Debug, PartialEq)]
pub struct Raised {
    /// Which.
    pub kind: Kind,
    /// Of what.
    pub scope: Scope,
    /// Since when.
    pub since: Instant,
    /// What it was raised on, in words.
    pub evidence: String,
    /// Whether it was declared by an operator or a monitor, rather than found by a rule.
    pub declared: bool,
    /// What the rules want done about it.
    pub actions: Vec<Action>,
    /// Whether that is only to be logged.
    pub dry_run: bool,
}

impl Detector {
    /// Nothing is raised yet.
    pub fn new(rules: Arc<Rules>) -> Self {
        Self {
            filter: rules.filter.clone(),
            rules,
            windows: BTreeMap::new(),
            states: BTreeMap::new(),
            declared: BTreeMap::new(),
            classes: BTreeMap::new(),
            passage: Passage::default(),
        }
    }

    /// Which events are looked at.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// From now on only these are looked at (R42). What was raised on others is cleared in time.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
    }

    /// How many events came and passed.
    pub fn passage(&self) -> Passage {
        self.passage
    }

    /// By which rules it decides.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// Decides by other rules from now on. Conditions whose rule is gone are cleared.
    pub fn replace_rules(&mut self, rules: Arc<Rules>) -> Vec<Change> {
        let gone: Vec<_> =
            self.states.keys().filter(|(kind, _)| !rules.rules.contains_key(kind)).cloned().collect();
        let mut changes = Vec::new();
        for key in gone {
            if let Some(State::Raised { since, evidence, .. }) = self.states.remove(&key)
                && !self.declared.contains_key(&key)
            {
                changes.push(self.change(&key, false, since, evidence));
            }
        }
        self.filter = rules.filter.clone();
        self.rules = rules;
        changes
    }

    /// Takes an event; whether it passed the filter.
    pub fn observe(&mut self, event: &Event) -> bool {
        self.passage.seen += 1;
        if !event.value.is_finite() || !self.filter.passes(event, &self.classes) {
            return false;
        }
        self.passage.passed += 1;
        let keep = self.keep(&event.source);
        let key = (event.source.clone(), event.scope);
        if self.windows.len() >= WINDOWS_MAX && !self.windows.contains_key(&key) {
            self.windows.retain(|_, window| window.forget(event.at, keep));
            if self.windows.len() >= WINDOWS_MAX {
                self.passage.dropped += 1;
                return true;
            }
        }
        self.windows.entry(key).or_default().add(event.at, event.value, keep);
        true
    }

    /// A monitor says what its source means.
    pub fn classify(&mut self, source: &Source, performance: bool, failure: bool) {
        if self.classes.len() < WINDOWS_MAX || self.classes.contains_key(source) {
            self.classes.insert(source.clone(), (performance, failure));
        }
    }

    /// Looks at all rules.
    pub fn evaluate(&mut self, now: Instant) -> Vec<Change> {
        let rules = Arc::clone(&self.rules);
        let mut changes = self.expire(now);
        for rule in rules.rules.values() {
            self.look_at(rule, now, &mut changes);
        }
        changes
    }

    /// Looks only at the rules that an event of this source can raise or clear.
    pub fn evaluate_source(&mut self, source: &Source, now: Instant) -> Vec<Change> {
        let rules = Arc::clone(&self.rules);
        let mut changes = Vec::new();
        let concerned = |rule: &&Rule| rule.clauses.iter().any(|clause| clause.source == *source);
        for rule in rules.rules.values().filter(concerned) {
            self.look_at(rule, now, &mut changes);
        }
        changes
    }

    /// An operator, a monitor or another part of the server says that something is so, or no longer (R61).
    pub fn declare(&mut self, declaration: Declaration, now: Instant) -> Result<Vec<Change>, TooMany> {
        let key = (declaration.kind.clone(), declaration.scope);
        let was = self.is_raised(&key);
        if !declaration.raised {
            let Some(declared) = self.declared.get_mut(&key) else { return Ok(Vec::new()) };
            if !declared.end(&declaration.by) {
                return Ok(Vec::new());
            }
            let Declared { since, evidence, .. } = self.declared.remove(&key).expect("BUG: it was there");
            return Ok(if self.is_raised(&key) {
                Vec::new()
            } else {
                vec![self.change(&key, false, since, evidence)]
            });
        }
        if !self.declared.contains_key(&key) && self.declared.len() >= DECLARED_MAX {
            return Err(TooMany);
        }
        let declared = self
            .declared
            .entry(key.clone())
            .or_insert_with(|| Declared::new(declaration.evidence.clone(), now));
        declared.say(declaration.by, declaration.evidence, now + declaration.lasts);
        let evidence = declared.evidence.clone();
        Ok(if was { Vec::new() } else { vec![self.change(&key, true, now, evidence)] })
    }

    /// What is raised now.
    pub fn raised(&self) -> Vec<Raised> {
        let keys: BTreeSet<_> = self.states.keys().chain(self.declared.keys()).cloned().collect();
        keys.into_iter().filter_map(|key| self.shown(key)).collect()
    }

    fn shown(&self, key: (Kind, Scope)) -> Option<Raised> {
        let found = match self.states.get(&key) {
            Some(State::Raised { since, evidence, .. }) => Some((*since, evidence.clone(), false)),
            Some(State::Quiet | State::Pending { .. }) | None => None,
        };
        let declared = || self.declared.get(&key).map(|said| (said.since, said.evidence.clone(), true));
        let (since, evidence, declared) = found.or_else(declared)?;
        let (actions, dry_run) = self.wanted(&key.0);
        Some(Raised { kind: key.0, scope: key.1, since, evidence, declared, actions, dry_run })
    }

    fn is_raised(&self, key: &(Kind, Scope)) -> bool {
        matches!(self.states.get(key), Some(State::Raised { .. })) || self.declared.contains_key(key)
    }

    fn look_at(&mut self, rule: &Rule, now: Instant, changes: &mut Vec<Change>) {
        if rule.clauses.is_empty() {
            return;
        }
        let fresh = self.rules.fresh;
        for scope in self.scopes(rule) {
            let stand = |clause: &crate::Clause| {
                clause.stands(self.windows.get(&(clause.source.clone(), scope)), fresh, now)
            };
            let verdict = Verdict::of(rule.combine, rule.clauses.iter().map(stand));
            let key = (rule.kind.clone(), scope);
            let state = self.states.entry(key.clone()).or_default();
            let turn = state.next(rule, verdict, now);
            let (quiet, raised_on) = match state {
                State::Quiet => (true, None),
                State::Pending { .. } => (false, None),
                State::Raised { evidence, .. } => (false, Some(evidence.clone())),
            };
            if quiet {
                self.states.remove(&key);
            }
            // Whoever declared it has said so already.
            if self.declared.contains_key(&key) {
                continue;
            }
            match (turn, raised_on) {
                (Turn::Raised, evidence) => {
                    changes.push(self.change(&key, true, now, evidence.unwrap_or_default()));
                }
                (Turn::Cleared(since, evidence), _) => {
                    changes.push(self.change(&key, false, since, evidence));
                }
                (Turn::None, _) => {}
            }
        }
    }

    /// What a rule is to be looked at for: the server, or every database that something is known of.
    fn scopes(&self, rule: &Rule) -> Vec<Scope> {
        if rule.per == Per::Server {
            return vec![Scope::Server];
        }
        let sources = || rule.clauses.iter().map(|clause| &clause.source);
        let measured = self.windows.keys().filter(|(source, _)| sources().any(|ours| ours == source));
        let known = self.states.keys().filter(|(kind, _)| *kind == rule.kind).map(|(_, scope)| *scope);
        let scopes: BTreeSet<_> = measured.map(|(_, scope)| *scope).chain(known).collect();
        scopes.into_iter().filter(|scope| *scope != Scope::Server).collect()
    }

    /// Ends what was declared for a time that is over, and forgets windows that nobody adds to.
    fn expire(&mut self, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        let over: Vec<_> = self
            .declared
            .iter_mut()
            .filter_map(|(key, said)| said.expire(now).then(|| key.clone()))
            .collect();
        for key in over {
            let Declared { since, evidence, .. } = self.declared.remove(&key).expect("BUG: it was there");
            if !self.is_raised(&key) {
                changes.push(self.change(&key, false, since, evidence));
            }
        }
        let rules = Arc::clone(&self.rules);
        self.windows.retain(|(source, _), window| window.forget(now, keep(&rules, source)));
        changes
    }

    fn change(&self, key: &(Kind, Scope), raised: bool, since: Instant, evidence: String) -> Change {
        let (actions, dry_run) = self.wanted(&key.0);
        let tells = self.rules.rules.get(&key.0).map(|rule| rule.tells.clone()).unwrap_or_default();
        Change { kind: key.0.clone(), scope: key.1, raised, since, evidence, actions, dry_run, tells }
    }

    fn wanted(&self, kind: &Kind) -> (Vec<Action>, bool) {
        self.rules.rules.get(kind).map_or((Vec::new(), false), |rule| (rule.actions.clone(), rule.dry_run))
    }

    fn keep(&self, source: &Source) -> Duration {
        keep(&self.rules, source)
    }
}

/// More conditions were declared than are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{DECLARED_MAX} conditions are declared already; clear some first")]
pub struct TooMany;

/// How long samples of a source are needed.
fn keep(rules: &Rules, source: &Source) -> Duration {
    let clauses = rules.rules.values().flat_map(|rule| &rule.clauses);
    let over = clauses.filter(|clause| clause.source == *source).map(|clause| clause.over).max();
    over.unwrap_or_default().max(rules.fresh)
}

#[cfg(test)]
mod tests;
