//! What the slow or failing ones of many clients have in common. Pure.
//!
//! A client is *bad* when more than one in a hundred of its calls failed, or when its p99 is above a limit. A fact, such as
//! its location, explains the bad ones as far as *bad* and *having that fact* are the same clients: how many are both, of
//! those that are either (Jaccard's index). The best facts are named; one that does not set bad clients apart from others
//! is not.

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};

/// A client and what is known of it.
#[derive(Clone, Debug)]
pub struct Client {
    /// Facts, by kind; empty where nothing is known.
    pub facts: Vec<(&'static str, String)>,
    pub calls: u64,
    pub failed: u64,
    pub p99_us: u64,
}

/// One fact that many of the bad ones share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    pub kind: &'static str,
    pub value: String,
    /// Of those with it.
    pub bad: usize,
    pub clients: usize,
    /// Of those without it.
    pub others_bad: usize,
    pub others: usize,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Finding {
    pub clients: usize,
    /// Above which a p99 is bad.
    pub limit_us: u64,
    /// Which of them are bad, by number.
    pub bad: Vec<usize>,
    /// Median p99 of the bad ones, and of the others.
    pub bad_p99_us: u64,
    pub others_p99_us: u64,
    pub failed: u64,
    /// The best first; several are equally good when they go together.
    pub factors: Vec<Factor>,
}

/// A p99 below this is never slow by itself, in microseconds.
const FAST_US: u64 = 10_000;
/// How much slower than the quickest quarter is slow.
const TIMES_SLOWER: u64 = 4;
/// The least share, in hundredths, of those that are bad or have the fact that must be both.
const SHARED_LEAST: usize = 50;
/// Factors that are named.
const FACTORS_MAX: usize = 4;

impl Finding {
    /// Looks at clients. `slow_us` is the limit, if one is given.
    pub fn of(clients: &[Client], slow_us: Option<u64>) -> Self {
        let limit_us = slow_us.unwrap_or_else(|| limit(clients));
        let is_bad = |client: &Client| {
            client.p99_us > limit_us || client.failed.saturating_mul(100) > client.calls && client.failed > 0
        };
        let (bad, others): (Vec<usize>, Vec<usize>) =
            (0..clients.len()).partition(|number| is_bad(&clients[*number]));
        let p99 = |of: &[usize]| median(of.iter().map(|number| clients[*number].p99_us).collect());
        Self {
            clients: clients.len(),
            limit_us,
            bad_p99_us: p99(&bad),
            others_p99_us: p99(&others),
            failed: bad.iter().map(|number| clients[*number].failed).sum(),
            factors: factors(clients, &bad),
            bad,
        }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let factor = |factor: &Factor| {
            let Factor { kind, value, bad, clients, others_bad, others } = factor;
            json!({ "factor": kind, "value": value, "bad": bad, "clients": clients,
                    "others_bad": others_bad, "others": others })
        };
        json!({
            "clients": self.clients,
            "bad": self.bad.len(),
            "limit_us": self.limit_us,
            "bad_p99_us": self.bad_p99_us,
            "others_p99_us": self.others_p99_us,
            "failed": self.failed,
            "factors": self.factors.iter().map(factor).collect::<Vec<_>>(),
        })
    }
}

/// What is slow, where nobody says it: by the quickest quarter, so that most clients may be slow and still be found.
fn limit(clients: &[Client]) -> u64 {
    let mut all: Vec<u64> = clients.iter().filter(|one| one.calls > 0).map(|one| one.p99_us).collect();
    all.sort_unstable();
    let usual = all.get(all.len() / 4).copied().unwrap_or(0);
    usual.saturating_mul(TIMES_SLOWER).max(FAST_US)
}

fn median(mut all: Vec<u64>) -> u64 {
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or(0)
}

fn factors(clients: &[Client], bad: &[usize]) -> Vec<Factor> {
    // By fact: those that have it, and the bad ones among them.
    let mut having: BTreeMap<(&'static str, &str), (usize, usize)> = BTreeMap::new();
    for (number, client) in clients.iter().enumerate() {
        for (kind, value) in client.facts.iter().filter(|(_, value)| !value.is_empty()) {
            let (all, both) = having.entry((kind, value)).or_default();
            *all += 1;
            *both += usize::from(bad.contains(&number));
        }
    }
    let factor = |((kind, value), (all, both)): ((&'static str, &str), (usize, usize))| Factor {
        kind,
        value: value.to_owned(),
        bad: both,
        clients: all,
        others_bad: bad.len() - both,
        others: clients.len() - all,
    };
    let mut factors: Vec<Factor> = having.into_iter().map(factor).filter(Factor::explains).collect();
    factors.sort_by_key(|factor| (std::cmp::Reverse(factor.shared()), factor.kind));
    let best = factors.first().map_or(0, Factor::shared);
    factors.retain(|factor| factor.shared() == best);
    factors.truncate(FACTORS_MAX);
    factors
}

impl Factor {
    /// How many are bad and have it, of those that are either, in hundredths.
    fn shared(&self) -> usize {
        100 * self.bad / (self.clients + self.others_bad).max(1)
    }

    /// Whether it sets bad clients apart: those with it are bad more than twice as often as those without, of whom there
    /// must be some.
    fn explains(&self) -> bool {
        let apart = self.bad * self.others > 2 * self.others_bad * self.clients;
        self.bad > 0 && self.others > 0 && apart && self.shared() >= SHARED_LEAST
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, limit_us, bad, bad_p99_us, others_p99_us, failed, factors } = self;
        let ms = |us: &u64| *us as f64 / 1_000.0;
        if *clients == 0 {
            return writeln!(
                f,
                "no client told anything; `stationmaster telemetry start --for 30s` has them measure"
            );
        }
        if bad.is_empty() {
            return writeln!(f, "{clients} clients, none slow (p99 above {} ms) or failing", ms(limit_us));
        }
        writeln!(
            f,
            "{} of {clients} clients are slow (p99 above {} ms) or failing: p99 {} ms, others {} ms; {failed} calls failed",
            bad.len(),
            ms(limit_us),
            ms(bad_p99_us),
            ms(others_p99_us),
        )?;
        for Factor { kind, value, bad, clients, others_bad, others } in factors {
            writeln!(f, "  {kind} {value}: {bad} of {clients} there, {others_bad} of {others} elsewhere")?;
        }
        if factors.is_empty() {
            writeln!(f, "  nothing that is known of clients sets them apart from the others")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(location: &str, server: &str, p99_ms: u64) -> Client {
        let facts =
            vec![("location", location.to_owned()), ("server", server.to_owned()), ("driver", String::new())];
        Client { facts, calls: 1_000, failed: 0, p99_us: p99_ms * 1_000 }
    }

    /// Fifty clients in three zones on two servers.
    fn fifty(slow: impl Fn(&Client) -> bool) -> Vec<Client> {
        let zone = |number: usize| {
            if number < 9 {
                "b"
            } else if number < 30 {
                "a"
            } else {
                "c"
            }
        };
        let made = (0..50).map(|number| client(zone(number), ["s1", "s2"][number % 2], 20));
        made.map(|one| if slow(&one) { Client { p99_us: 900_000, ..one } } else { one }).collect()
    }

    fn said(clients: &[Client]) -> Vec<(&'static str, String, usize, usize, usize, usize)> {
        let factors = Finding::of(clients, None).factors.into_iter();
        factors.map(|one| (one.kind, one.value, one.bad, one.clients, one.others_bad, one.others)).collect()
    }

    #[test]
    fn nine_slow_clients_of_fifty_have_their_zone_in_common_r80() {
        let clients = fifty(|one| one.facts[0].1 == "b");
        let finding = Finding::of(&clients, None);
        assert_eq!((finding.bad.len(), finding.bad_p99_us, finding.others_p99_us), (9, 900_000, 20_000));
        assert_eq!(said(&clients), [("location", "b".into(), 9, 9, 0, 41)]);
        let text = finding.to_string();
        assert!(text.starts_with("9 of 50 clients are slow"), "{text}");
        assert!(text.contains("location b: 9 of 9 there, 0 of 41 elsewhere"), "{text}");
        assert_eq!(finding.json()["factors"][0]["factor"], "location");
    }

    #[test]
    fn a_servers_fault_is_told_from_a_zones_r80() {
        assert_eq!(said(&fifty(|one| one.facts[1].1 == "s2")), [("server", "s2".into(), 25, 25, 0, 25)]);
        let failing: Vec<Client> = fifty(|_| false)
            .into_iter()
            .map(|one| if one.facts[0].1 == "c" { Client { failed: 11, ..one } } else { one })
            .collect();
        assert_eq!(said(&failing), [("location", "c".into(), 20, 20, 0, 30)]);
        assert_eq!(Finding::of(&failing, None).failed, 220);
    }

    #[test]
    fn what_goes_together_is_named_together_and_what_is_everywhere_is_not_r80() {
        let clients: Vec<Client> = fifty(|one| one.facts[0].1 == "b")
            .into_iter()
            .map(|mut one| {
                one.facts[2].1 = if one.facts[0].1 == "b" { "rust-9" } else { "rust-8" }.into();
                one
            })
            .collect();
        let kinds: Vec<_> = said(&clients).into_iter().map(|one| one.0).collect();
        assert_eq!(kinds, ["driver", "location"]);
        let all = fifty(|_| true);
        assert_eq!((Finding::of(&all, Some(100_000)).bad.len(), said(&all)), (50, vec![]));
        assert!(Finding::of(&all, Some(100_000)).to_string().contains("nothing that is known"));
        let one_in_each: Vec<Client> = fifty(|_| false)
            .into_iter()
            .enumerate()
            .map(|(number, one)| if number % 10 == 0 { Client { p99_us: 900_000, ..one } } else { one })
            .collect();
        assert_eq!(said(&one_in_each), [], "chance is no factor");
    }

    #[test]
    fn a_single_client_and_none_at_all_are_no_trouble_r80() {
        assert!(Finding::of(&[], None).to_string().contains("no client told anything"));
        let one = client("a", "s1", 5);
        assert!(Finding::of(std::slice::from_ref(&one), None).to_string().contains("none slow"));
        let finding = Finding::of(&[Client { calls: 0, failed: 3, ..one }], None);
        assert_eq!((finding.bad.len(), finding.factors.len()), (1, 0));
        let wild = Client { p99_us: u64::MAX, failed: u64::MAX, calls: u64::MAX, facts: Vec::new() };
        assert!(Finding::of(&[wild.clone(), wild], None).bad.is_empty(), "the quickest quarter is no better");
    }
}
