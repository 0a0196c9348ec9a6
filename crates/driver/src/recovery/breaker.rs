//! Circuit breakers: an address that failed several times in a row is left alone for a while, then tried by one.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::protocol::Address;

/// Failures in a row that open a breaker.
const FAILURES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the one who tries may take before another does.
const TRIAL: Duration = Duration::from_secs(5);
/// Addresses that are remembered: those of the application and a few that directives named.
const ADDRESSES_MAX: usize = 256;

/// Whether an address may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permit {
    /// Yes.
    Go,
    /// Not before that time.
    NotBefore(Instant),
}

/// The breakers of all addresses.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    failures: HashMap<Address, Failures>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    not_before: Instant,
}

impl Breakers {
    /// Whether to try `address` now; who is told to go counts as the one who tries.
    pub(crate) fn ask(&mut self, address: &Address, now: Instant) -> Permit {
        match self.failures.get_mut(address) {
            Some(failures) if failures.count >= FAILURES && failures.not_before > now => {
                Permit::NotBefore(failures.not_before)
            }
            Some(failures) if failures.count >= FAILURES => {
                failures.not_before = now + TRIAL;
                Permit::Go
            }
            Some(_) | None => Permit::Go,
        }
    }

    /// It answered.
    pub(crate) fn worked(&mut self, address: &Address) {
        self.failures.remove(address);
    }

    /// It did not. `random` is from 0 to 1.
    pub(crate) fn failed(&mut self, address: &Address, now: Instant, random: f64) {
        if self.failures.len() >= ADDRESSES_MAX && !self.failures.contains_key(address) {
            self.failures.clear();
        }
        let failures = self.failures.entry(address.clone()).or_insert(Failures { count: 0, not_before: now });
        failures.count = failures.count.saturating_add(1);
        let doublings = failures.count.saturating_sub(FAILURES).min(16);
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
        failures.not_before = now + pause.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0);
    }

    /// Forgets some addresses.
    pub(crate) fn forget(&mut self, which: impl Fn(&str) -> bool) {
        self.failures.retain(|address, _| !which(&address.to_string()));
    }

    /// Addresses that are left alone at present.
    pub(crate) fn open(&self, now: Instant) -> Vec<(String, Duration)> {
        let open = self.failures.iter().filter(|(_, one)| one.count >= FAILURES && one.not_before > now);
        let mut open: Vec<_> =
            open.map(|(address, one)| (address.to_string(), one.not_before.duration_since(now))).collect();
        open.sort();
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r67_an_address_that_fails_is_left_alone_and_then_tried_by_one() {
        let (mut breakers, now) = (Breakers::default(), Instant::now());
        let address = Address::parse("a:1").expect("an address");
        for _ in 0..FAILURES {
            assert_eq!(breakers.ask(&address, now), Permit::Go);
            breakers.failed(&address, now, 0.0);
        }
        let later = now + FIRST_PAUSE;
        assert_eq!(breakers.ask(&address, now), Permit::NotBefore(later));
        assert_eq!(breakers.open(now).len(), 1);
        assert_eq!(breakers.ask(&Address::parse("b:1").expect("an address"), now), Permit::Go);
        assert_eq!(breakers.ask(&address, later), Permit::Go);
        assert_eq!(breakers.ask(&address, later), Permit::NotBefore(later + TRIAL), "one tries");
        breakers.failed(&address, later, 0.0);
        assert_eq!(breakers.ask(&address, later), Permit::NotBefore(later + FIRST_PAUSE * 2));
        breakers.worked(&address);
        assert_eq!(breakers.ask(&address, later), Permit::Go);
    }
}
