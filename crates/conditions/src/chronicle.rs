//! Which changes of conditions are worth an event that everybody sees (S10), within a budget.
//!
//! A condition that comes and goes once is told at once. One that flaps has a few changes told, then one now and then,
//! with how often it changed meanwhile; whatever was told last is never older than that for long. All conditions of a
//! process together have a budget, too, so that many of them cannot do what one may not.
//!
//! Like everything here it reads no clock.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    Change, Kind, Scope,
    limits::{TOLD_ALL, TOLD_ALL_EVERY, TOLD_KEPT_MAX, TOLD_ONE, TOLD_ONE_EVERY},
};

/// What is told of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which.
    pub kind: Kind,
    /// Of what.
    pub scope: Scope,
    /// Whether it is raised.
    pub raised: bool,
    /// What it was raised on, and what is done about it, in words.
    pub evidence: String,
    /// How long it was raised, if it is not any more.
    pub lasted: Option<Duration>,
}

/// What was told of each condition, and what is still to be told.
#[derive(Debug, Default)]
pub struct Chronicle {
    known: BTreeMap<(Kind, Scope), One>,
    /// To be told as they came.
    ready: Vec<Told>,
    /// Whether some wait for a budget.
    behind: bool,
    all: Option<Budget>,
}

#[derive(Debug)]
struct One {
    latest: Told,
    /// Changes that wait for the budget, and will be told together.
    held: u64,
    /// Since when the first of them waits.
    held_since: Instant,
    budget: Budget,
}

/// So many at once, and one more after each pause.
#[derive(Clone, Copy, Debug)]
struct Budget {
    left: u32,
    since: Instant,
}

impl Budget {
    fn refill(&mut self, now: Instant, most: u32, every: Duration) {
        while self.left < most && now.saturating_duration_since(self.since) >= every {
            self.left += 1;
            self.since += every;
        }
        if self.left == most {
            self.since = now;
        }
    }
}

impl Chronicle {
    /// A condition was raised or cleared. More conditions than are kept are not told of.
    pub fn on(&mut self, change: &Change, now: Instant) {
        let key = (change.kind.clone(), change.scope);
        if self.known.len() >= TOLD_KEPT_MAX && !self.known.contains_key(&key) {
            return;
        }
        let latest = Told {
            kind: change.kind.clone(),
            scope: change.scope,
            raised: change.raised,
            evidence: evidence(change),
            lasted: (!change.raised).then(|| now.saturating_duration_since(change.since)),
        };
        let budget = Budget { left: TOLD_ONE, since: now };
        let begun = || One { latest: latest.clone(), held: 0, held_since: now, budget };
        let one = self.known.entry(key).or_insert_with(begun);
        if one.held == 0 {
            one.held_since = now;
        }
        one.latest = latest;
        one.held += 1;
        // Kept one by one as long as the budget allows and nobody waits for it, even if nobody looks between two.
        let told = match self.behind || self.ready.len() >= TOLD_ALL as usize {
            true => None,
            false => one.tell(all(&mut self.all, now), now),
        };
        self.behind |= told.is_none();
        self.ready.extend(told);
    }

    /// What is to be told now. Whoever takes it tells it.
    pub fn due(&mut self, now: Instant) -> Vec<Told> {
        let all = all(&mut self.all, now);
        // Those first that have waited longest: whatever flaps must not keep the others back.
        let mut waiting: Vec<&mut One> = self.known.values_mut().filter(|one| one.held > 0).collect();
        waiting.sort_by_key(|one| one.held_since);
        let held = waiting.into_iter().filter_map(|one| one.tell(all, now));
        let due = std::mem::take(&mut self.ready).into_iter().chain(held).collect();
        self.behind = self.known.values().any(|one| one.held > 0);
        // What is over, told and not flapping is as if it had never been.
        self.known.retain(|_, one| {
            one.budget.refill(now, TOLD_ONE, TOLD_ONE_EVERY);
            one.latest.raised || one.held > 0 || one.budget.left < TOLD_ONE
        });
        due
    }
}

fn all(budget: &mut Option<Budget>, now: Instant) -> &mut Budget {
    let all = budget.get_or_insert(Budget { left: TOLD_ALL, since: now });
    all.refill(now, TOLD_ALL, TOLD_ALL_EVERY);
    all
}

impl One {
    /// What is held, if both budgets allow it.
    fn tell(&mut self, all: &mut Budget, now: Instant) -> Option<Told> {
        self.budget.refill(now, TOLD_ONE, TOLD_ONE_EVERY);
        if self.held == 0 || self.budget.left == 0 || all.left == 0 {
            return None;
        }
        self.budget.left -= 1;
        all.left -= 1;
        let mut told = self.latest.clone();
        if self.held > 1 {
            told.evidence =
                format!("changed {} times since this was told last; {}", self.held, told.evidence);
        }
        self.held = 0;
        Some(told)
    }
}

/// What it was raised on, and what follows.
fn evidence(change: &Change) -> String {
    let mut text = change.evidence.clone();
    if !change.raised {
        return text;
    }
    let actions: Vec<&str> = change.actions.iter().map(|action| action.name()).collect();
    if !actions.is_empty() {
        let would = if change.dry_run { "would do" } else { "does" };
        text += &format!("; {would} {}", actions.join(", "));
    }
    if !change.tells.is_empty() {
        text += "; tells clients";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Action;

    fn change(kind: &str, raised: bool, since: Instant) -> Change {
        Change {
            kind: kind.parse().expect("a name"),
            scope: Scope::Server,
            raised,
            since,
            evidence: "too much".into(),
            actions: vec![Action::UnloadIdle],
            dry_run: false,
            tells: Vec::new(),
        }
    }

    #[test]
    fn what_comes_and_goes_is_told_at_once_with_what_is_done_and_how_long_it_was_s10() {
        let (mut chronicle, start) = (Chronicle::default(), Instant::now());
        chronicle.on(&change("overload", true, start), start);
        let told = chronicle.due(start);
        assert_eq!((told.len(), told[0].raised, told[0].lasted), (1, true, None));
        assert_eq!(told[0].evidence, "too much; does unload_idle");
        assert!(chronicle.due(start).is_empty(), "once");
        let mut short = Chronicle::default();
        for raised in [true, false] {
            short.on(&change("overload", raised, start), start);
        }
        assert_eq!(short.due(start).len(), 2, "nobody looked between the two");
        let later = start + Duration::from_secs(9);
        chronicle.on(&change("overload", false, start), later);
        let told = chronicle.due(later);
        assert_eq!((told[0].raised, told[0].lasted), (false, Some(Duration::from_secs(9))));
        let (day, kept) = (start + Duration::from_secs(86_400), chronicle.known.len());
        chronicle.due(day);
        assert_eq!((kept, chronicle.known.len()), (1, 0), "it is forgotten");
    }

    #[test]
    fn a_condition_that_flaps_for_a_day_is_told_within_the_budget_and_its_end_is_told_s10() {
        let (mut chronicle, start) = (Chronicle::default(), Instant::now());
        let (mut told, mut now, mut changes) = (Vec::new(), start, 0);
        while now < start + Duration::from_secs(86_400) {
            changes += 1;
            chronicle.on(&change("overload", changes % 2 == 1, now), now);
            told.extend(chronicle.due(now));
            now += Duration::from_secs(1);
        }
        let most = u64::from(TOLD_ONE) + 86_400 / TOLD_ONE_EVERY.as_secs();
        assert!(told.len() as u64 <= most, "{} of {changes}", told.len());
        assert!(told.last().expect("some").evidence.starts_with("changed "), "{told:?}");
        now += TOLD_ONE_EVERY;
        told.extend(chronicle.due(now));
        assert_eq!(told.last().map(|one| one.raised), Some(changes % 2 == 1), "how it is in the end");
        assert!(chronicle.due(now + TOLD_ONE_EVERY).is_empty());
    }

    #[test]
    fn many_conditions_share_a_budget_and_none_is_forgotten_s10() {
        let (mut chronicle, start) = (Chronicle::default(), Instant::now());
        let count = TOLD_ALL as usize + 5;
        (0..count).for_each(|number| chronicle.on(&change(&format!("c{number}"), true, start), start));
        assert_eq!(chronicle.due(start).len(), TOLD_ALL as usize);
        assert_eq!(chronicle.due(start + TOLD_ALL_EVERY * 4).len(), 4);
        assert_eq!(chronicle.due(start + TOLD_ALL_EVERY * 60).len(), 1);
        (0..2 * TOLD_KEPT_MAX)
            .for_each(|number| chronicle.on(&change(&format!("d{number}"), true, start), start));
        assert!(chronicle.known.len() <= TOLD_KEPT_MAX);
    }

    #[test]
    fn conditions_that_flap_keep_no_other_back_for_ever_s10() {
        let (mut chronicle, start) = (Chronicle::default(), Instant::now());
        let (mut told, mut now) = (Vec::new(), start);
        for round in 0..600 {
            for number in 0..60 {
                chronicle.on(&change(&format!("a{number}"), round % 2 == 0, now), now);
            }
            if round == 100 {
                chronicle.on(&change("z", true, now), now);
            }
            told.extend(chronicle.due(now));
            now += Duration::from_secs(2);
        }
        assert!(told.iter().any(|one| one.kind.to_string() == "z"), "{} told", told.len());
    }
}
