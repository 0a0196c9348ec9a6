//! Which databases have a server that does not answer, by what this handler's own questions came to (R59). Pure.
//!
//! Nobody has to wait for anything: servers of clients that understand directives are asked again and again. One that
//! refuses is gone; one that says nothing, twice in a row, hangs. The server's own detection has no part in that, and no
//! controller either.

use std::collections::{BTreeMap, BTreeSet};

/// Questions without an answer, one after the other, after which a server is silent.
const MISSED_MAX: u32 = 2;

/// What a question came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It said something.
    Said,
    /// Nobody listens there.
    Refused,
    /// Nothing came in time.
    Nothing,
}

/// Where a database is, as far as this handler knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its server's.
    pub(super) address: String,
    /// Under which it is there.
    pub(super) epoch: u64,
}

/// What is to be said of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Its server is silent.
    Silent(String, Place),
    /// It is not any more, or another one has it.
    Over(String),
}

/// What is known from earlier rounds.
#[derive(Debug, Default)]
pub(super) struct Silence {
    missed: BTreeMap<String, u32>,
    silent: BTreeSet<String>,
}

impl Silence {
    /// A round is over: where the databases are whose clients listen, as far as anybody knows, and what their servers
    /// answered. Of a database that is nowhere nothing is said: its silence is not over until somebody serves it.
    pub(super) fn round(
        &mut self,
        places: &BTreeMap<String, Option<Place>>,
        answers: &BTreeMap<String, Answer>,
    ) -> Vec<Finding> {
        self.missed.retain(|address, _| answers.contains_key(address));
        for (address, answer) in answers {
            let missed = self.missed.entry(address.clone()).or_default();
            *missed = match answer {
                Answer::Said => 0,
                Answer::Refused => MISSED_MAX,
                Answer::Nothing => missed.saturating_add(1),
            };
        }
        let is_silent =
            |place: &Place| self.missed.get(&place.address).is_some_and(|count| *count >= MISSED_MAX);
        let mut findings = Vec::new();
        let mut still = BTreeSet::new();
        for (database, place) in places {
            let was_silent = self.silent.contains(database);
            match place {
                Some(place) if is_silent(place) => {
                    findings.push(Finding::Silent(database.clone(), place.clone()));
                    still.insert(database.clone());
                }
                Some(_) if was_silent => findings.push(Finding::Over(database.clone())),
                None if was_silent => _ = still.insert(database.clone()),
                Some(_) | None => {}
            }
        }
        self.silent = still;
        findings
    }

    /// How many servers are silent.
    pub(super) fn servers(&self) -> usize {
        self.missed.values().filter(|count| **count >= MISSED_MAX).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(of: &[(&str, &str)]) -> BTreeMap<String, Option<Place>> {
        of.iter()
            .map(|(database, address)| {
                let place = Place { address: (*address).into(), epoch: 3 };
                ((*database).into(), (!address.is_empty()).then_some(place))
            })
            .collect()
    }

    fn answers(of: &[(&str, Answer)]) -> BTreeMap<String, Answer> {
        of.iter().map(|(address, answer)| ((*address).into(), *answer)).collect()
    }

    fn silent(database: &str, address: &str) -> Finding {
        Finding::Silent(database.into(), Place { address: address.into(), epoch: 3 })
    }

    #[test]
    fn a_server_that_says_nothing_twice_is_silent_until_it_says_something_r59() {
        let (mut silence, shop) = (Silence::default(), places(&[("shop", "s1"), ("other", "s2")]));
        let round = |first| answers(&[("s1", first), ("s2", Answer::Said)]);
        let mut said = |answer| silence.round(&shop, &round(answer));
        assert_eq!(said(Answer::Nothing), []);
        assert_eq!(said(Answer::Said), [], "once is nothing");
        assert_eq!(said(Answer::Nothing), []);
        assert_eq!(said(Answer::Nothing), [silent("shop", "s1")]);
        assert_eq!(said(Answer::Nothing), [silent("shop", "s1")], "as long as it lasts");
        assert_eq!(said(Answer::Said), [Finding::Over("shop".into())]);
        assert_eq!(said(Answer::Said), []);
    }

    #[test]
    fn a_server_that_refuses_is_gone_at_once_and_its_databases_go_elsewhere_r59() {
        let mut silence = Silence::default();
        let refused = answers(&[("s1", Answer::Refused)]);
        assert_eq!(silence.round(&places(&[("shop", "s1")]), &refused), [silent("shop", "s1")]);
        assert_eq!(silence.servers(), 1);
        let both = answers(&[("s1", Answer::Refused), ("s2", Answer::Said)]);
        assert_eq!(silence.round(&places(&[("shop", "s2")]), &both), [Finding::Over("shop".into())]);
        assert_eq!(silence.round(&places(&[("shop", "s1")]), &refused), [silent("shop", "s1")]);
        assert_eq!(silence.round(&places(&[("shop", "")]), &answers(&[])), [], "nobody serves it");
        assert_eq!(silence.servers(), 0, "what is not asked any more is forgotten");
        let other = answers(&[("s2", Answer::Said)]);
        assert_eq!(silence.round(&places(&[("shop", "s2")]), &other), [Finding::Over("shop".into())]);
        assert_eq!(silence.round(&places(&[("shop", "s1")]), &refused), [silent("shop", "s1")]);
        assert_eq!(silence.round(&places(&[]), &answers(&[])), [], "nobody listens any more");
        assert_eq!(silence.round(&places(&[("shop", "s2")]), &other), [], "and who comes is told nothing");
    }
}
