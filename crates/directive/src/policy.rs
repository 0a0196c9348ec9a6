//! What the client's owner allows. It always wins over what is sent.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Kind, Kinds, action::Subject};

/// The owner's limits and lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// What may be asked for at all. Default: everything but rules.
    pub allow: Kinds,
    /// Longest time that directives may keep this client from connecting, in milliseconds. Default 60,000.
    ///
    /// An allowance: being held up uses it, each millisecond without a hold gives one back.
    /// So no stretch is longer than this, and over a long time no more than half of it, whatever is sent.
    pub hold_ms_max: u64,
    /// Longest lifetime of any directive, in milliseconds; what asks for more is cut. Default: a week.
    pub lifetime_ms_max: u64,
    /// Longest time that a call of the application waits for a hold or a rate when it has a later deadline or none,
    /// in milliseconds. Default 10,000.
    pub wait_ms_max: u64,
    /// Lowest rate that is obeyed, in operations a second. Default 1.
    pub rate_per_second_min: u64,
    /// Where a switch or a data source may lead, besides what the application configured. Default: nowhere.
    pub addresses: Addresses,
    /// Names of destinations for uploads. Default: `server`, the session's own.
    pub destinations: BTreeSet<String>,
    /// The built-in routines that may be switched on. Default: none.
    pub routines: BTreeSet<String>,
    /// What may be collected. Default: all.
    pub subjects: BTreeSet<Subject>,
    /// Public Ed25519 keys that are trusted to sign rules and updates, by name. Default: none.
    pub keys: BTreeMap<String, [u8; 32]>,
    /// How many directives are obeyed in a minute. Default 600.
    pub directives_per_minute: u64,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            allow: Kinds::ALL.without(Kind::Rule),
            hold_ms_max: 60_000,
            lifetime_ms_max: 7 * 86_400_000,
            wait_ms_max: 10_000,
            rate_per_second_min: 1,
            addresses: Addresses::default(),
            destinations: BTreeSet::from(["server".to_owned()]),
            routines: BTreeSet::new(),
            subjects: Subject::ALL.into_iter().collect(),
            keys: BTreeMap::new(),
            directives_per_minute: 600,
        }
    }
}

impl Policy {
    /// Whether a call of the application is to wait for `left_ms` or to fail at once (R71).
    ///
    /// `deadline_ms` is what the call has left; it must have some left after the wait.
    pub fn wait_or_fail(&self, left_ms: u64, deadline_ms: Option<u64>) -> WaitOrFail {
        let in_time = deadline_ms.is_none_or(|deadline_ms| left_ms < deadline_ms);
        match left_ms {
            0 => WaitOrFail::Go,
            _ if in_time && left_ms <= self.wait_ms_max => WaitOrFail::Wait,
            _ => WaitOrFail::Fail,
        }
    }
}

/// What a call does about a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitOrFail {
    /// There is none.
    Go,
    /// Sit it out.
    Wait,
    /// Tell the application at once, with the reason and when to come back.
    Fail,
}

/// Hosts, each as `host:port`, `host`, `.suffix` of host names, or `*` for any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses(pub BTreeSet<String>);

impl Addresses {
    /// Whether `host`, and `port` where it is known, is among them. Letters count the same in either case.
    pub fn allow(&self, host: &str, port: Option<&str>) -> bool {
        let host = host.to_ascii_lowercase();
        self.0.iter().any(|entry| {
            let entry = entry.to_ascii_lowercase();
            let with_port = port.is_some_and(|port| entry == format!("{host}:{port}"));
            entry == "*" || entry == host || with_port || (entry.starts_with('.') && host.ends_with(&entry))
        })
    }

    /// The same for `host:port`.
    pub fn allow_address(&self, address: &str) -> bool {
        address.rsplit_once(':').is_some_and(|(host, port)| self.allow(host, Some(port)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r71_a_call_waits_within_its_deadline_and_the_owners_limit() {
        let policy = Policy { wait_ms_max: 3_000, ..Policy::default() };
        let cases = [
            (0, Some(0), WaitOrFail::Go),
            (2_000, None, WaitOrFail::Wait),
            (3_000, None, WaitOrFail::Wait),
            (3_001, None, WaitOrFail::Fail),
            (30_000, Some(60_000), WaitOrFail::Fail),
            (2_000, Some(2_001), WaitOrFail::Wait),
            (2_000, Some(2_000), WaitOrFail::Fail),
        ];
        for (left, deadline, expected) in cases {
            assert_eq!(policy.wait_or_fail(left, deadline), expected, "{left} of {deadline:?}");
        }
    }

    #[test]
    fn r89_addresses_are_the_owners() {
        let list = |entries: &[&str]| Addresses(entries.iter().map(|entry| (*entry).to_owned()).collect());
        let ours = list(&["db.example.net", ".fleet.example.net", "10.0.0.5:5432", "[fd00::5]:5432"]);
        for right in ["DB.example.net:1", "s1.fleet.example.net:6000", "10.0.0.5:5432", "[fd00::5]:5432"] {
            assert!(ours.allow_address(right), "{right}");
        }
        for wrong in
            ["fleet.example.net:1", "evilfleet.example.net:1", "db.example.net.evil:1", "10.0.0.5:5433"]
        {
            assert!(!ours.allow_address(wrong), "{wrong}");
        }
        assert!(!Addresses::default().allow_address("localhost:5432"));
        assert!(list(&["*"]).allow_address("anything:1"));
    }
}
