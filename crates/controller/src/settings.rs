//! What an operator can say about a controller. Read elsewhere; checked here.

use std::{path::PathBuf, time::Duration};

use model::{ControllerId, Level};

use crate::balance::BalanceSettings;
use crate::fault;
use crate::limits::{CLOCK_DRIFT_PPM, HEARTBEAT_MIN, LEASE_HEARTBEATS_MIN, SNAPSHOT_EVERY_MIN};
use crate::loads::{LoadSettings, PrometheusSettings};

/// A controller's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its id among the controllers: chosen by the operator, at least 1, never given to another one later.
    pub id: ControllerId,
    /// Where the others and all callers reach it, `host:port`.
    pub address: String,
    /// Where its log, its vote and its snapshots are. Nobody else may use this directory.
    pub data_dir: PathBuf,
    /// The controllers that found a new fleet, once all of them are up: ids and addresses, equal on all of them. Looked
    /// at only while this controller has no data; from then on the replicated list counts. One that is not among them
    /// waits to be added.
    pub members: Vec<(ControllerId, String)>,
    /// How often servers send heartbeats. At least 10 ms. Default 500 ms.
    pub heartbeat: Duration,
    /// How long an acknowledged heartbeat lets a server serve, but for what clocks may differ by
    /// ([`lease_granted`](Self::lease_granted)); a server that was silent for longer is declared dead. At least two
    /// heartbeats. Default 3 s.
    pub lease: Duration,
    /// How often the leading controller shows the others that it lives. An answer that takes longer than this counts for nothing.
    /// Default 150 ms.
    pub raft_heartbeat: Duration,
    /// The shortest silence of the leader, beyond its own lease, after which an election begins. At least twice
    /// [`raft_heartbeat`](Self::raft_heartbeat). Default 300 ms.
    pub election_min: Duration,
    /// The longest such silence, and the leader's own lease. More than [`election_min`](Self::election_min).
    /// Default 600 ms: the others elect another 0.9 to 1.2 s after the leader is killed.
    pub election_max: Duration,
    /// How many log entries lie between two snapshots at least; in a large map it is one for each 10 databases. Bounds the
    /// log on disk and in memory. At least 16. Default 100,000: some tens of megabytes of memory, and half a second of a
    /// restart.
    pub snapshot_every: u64,
    /// Whether a vote or an entry is acknowledged only once it survives a power cut (`fdatasync`). Default true.
    /// Switched off it survives a killed process only: a power cut may then lose acknowledged changes of this
    /// controller. It notices, refuses to start, and must be replaced; if a majority is hit, changes of the map are lost.
    pub power_loss_safe: bool,
    /// How long a server that answers heartbeats must measure itself slow until it is emptied; it takes databases again
    /// once it has been well for twice as long. Zero: nobody is ever emptied for it. Default 30 s.
    pub empty_slow_after: Duration,
    /// Whether a refused connection proves that a server's process is dead. Default true: its databases are given to
    /// others at once. Switch it off where something else answers for a server's address, such as a proxy.
    pub refused_is_dead: bool,
    /// The brake against mass expiry: when more than this share of the servers, and two at least, are silent at once
    /// or were declared dead for it within [`brake_window`](Self::brake_window), no more are declared dead for silence
    /// until some are heard of again, are proved dead, or an operator says so. In percent, 1 to 100; 100 turns the
    /// brake off. Default 50.
    pub brake_percent: u64,
    /// How long a server that was declared dead for its silence counts for the brake. Default 30 s.
    pub brake_window: Duration,
    /// Background failover: how many databases of a dead server that were in use are loaded elsewhere per second, on
    /// average, without waiting for a request. 0 to 10,000; zero leaves them all to requests. Default 50.
    pub failover_per_second: u64,
    /// How many of them at a time. 1 to 1,000. Default 8.
    pub failover_in_flight: u64,
    /// Whether and how databases are moved by load and distance.
    pub balance: BalanceSettings,
    /// Which loads placement goes by.
    pub load: LoadSettings,
    /// A Prometheus server as a source of loads.
    pub prometheus: Option<PrometheusSettings>,
    /// The newest level that this controller knows. Lower than what it knows only where a test has it act as a controller
    /// of an earlier release.
    pub level: Level,
}

/// What is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Ids start at 1.
    #[error("controller id 0 is not allowed; ids start at 1")]
    IdZero,
    /// Two members have the same id or address.
    #[error("members lists {what} twice")]
    MemberTwice {
        /// The id or address.
        what: String,
    },
    /// An address is not of the form `host:port`.
    #[error("{address:?} is not an address of the form host:port")]
    Address {
        /// What was given.
        address: String,
    },
    /// This controller is among the members with another address.
    #[error("controller {id} has the address {address}, but members says {listed}")]
    AddressDiffers {
        /// This controller.
        id: ControllerId,
        /// Its own address.
        address: String,
        /// What members says.
        listed: String,
    },
    /// A number is out of its bounds.
    #[error("{name} is {given}, but must be {bounds}")]
    Bounds {
        /// The setting.
        name: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        bounds: String,
    },
}

impl Settings {
    /// What a server is given of the lease: its clock may be slower than the leader's.
    pub fn lease_granted(&self) -> Duration {
        self.lease - self.lease * CLOCK_DRIFT_PPM / 1_000_000
    }

    /// Default of [`heartbeat`](Self::heartbeat).
    pub const DEFAULT_HEARTBEAT: Duration = Duration::from_millis(500);
    /// Default of [`lease`](Self::lease).
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(3);
    /// Default of [`raft_heartbeat`](Self::raft_heartbeat).
    pub const DEFAULT_RAFT_HEARTBEAT: Duration = Duration::from_millis(150);
    /// Default of [`election_min`](Self::election_min).
    pub const DEFAULT_ELECTION_MIN: Duration = Duration::from_millis(300);
    /// Default of [`election_max`](Self::election_max).
    pub const DEFAULT_ELECTION_MAX: Duration = Duration::from_millis(600);
    /// Default of [`snapshot_every`](Self::snapshot_every).
    pub const DEFAULT_SNAPSHOT_EVERY: u64 = 100_000;

    /// Default of [`brake_percent`](Self::brake_percent).
    pub const DEFAULT_BRAKE_PERCENT: u64 = 50;
    /// Default of [`brake_window`](Self::brake_window).
    pub const DEFAULT_BRAKE_WINDOW: Duration = Duration::from_secs(30);

    /// Default of [`failover_per_second`](Self::failover_per_second).
    pub const DEFAULT_FAILOVER_PER_SECOND: u64 = 50;
    /// Default of [`failover_in_flight`](Self::failover_in_flight).
    pub const DEFAULT_FAILOVER_IN_FLIGHT: u64 = 8;
    /// Default of [`empty_slow_after`](Self::empty_slow_after).
    pub const DEFAULT_EMPTY_SLOW_AFTER: Duration = Duration::from_secs(30);

    /// Settings with every default.
    pub fn new(
        id: ControllerId,
        address: String,
        data_dir: PathBuf,
        members: Vec<(ControllerId, String)>,
    ) -> Self {
        Self {
            id,
            address,
            data_dir,
            members,
            heartbeat: Self::DEFAULT_HEARTBEAT,
            lease: Self::DEFAULT_LEASE,
            raft_heartbeat: Self::DEFAULT_RAFT_HEARTBEAT,
            election_min: Self::DEFAULT_ELECTION_MIN,
            election_max: Self::DEFAULT_ELECTION_MAX,
            snapshot_every: Self::DEFAULT_SNAPSHOT_EVERY,
            power_loss_safe: true,
            empty_slow_after: Self::DEFAULT_EMPTY_SLOW_AFTER,
            refused_is_dead: true,
            brake_percent: Self::DEFAULT_BRAKE_PERCENT,
            brake_window: Self::DEFAULT_BRAKE_WINDOW,
            failover_per_second: Self::DEFAULT_FAILOVER_PER_SECOND,
            failover_in_flight: Self::DEFAULT_FAILOVER_IN_FLIGHT,
            balance: BalanceSettings::default(),
            load: LoadSettings::default(),
            prometheus: None,
            level: fault::level(),
        }
    }

    /// Everything that is wrong with them, all at once; empty when they can be used.
    pub fn problems(&self) -> Vec<SettingsError> {
        let mut problems = Vec::new();
        if self.id.0 == 0 || self.members.iter().any(|(id, _)| id.0 == 0) {
            problems.push(SettingsError::IdZero);
        }
        self.check_addresses(&mut problems);
        self.check_times(&mut problems);
        self.check_shares(&mut problems);
        if self.snapshot_every < SNAPSHOT_EVERY_MIN {
            problems.push(bounds(
                "snapshot_every",
                self.snapshot_every,
                format!("at least {SNAPSHOT_EVERY_MIN}"),
            ));
        }
        problems
    }

    fn check_addresses(&self, problems: &mut Vec<SettingsError>) {
        let addresses = self.members.iter().map(|(_, address)| address).chain([&self.address]);
        for address in addresses.filter(|address| !is_address(address)) {
            problems.push(SettingsError::Address { address: address.clone() });
        }
        for (at, (id, address)) in self.members.iter().enumerate() {
            let before = &self.members[..at];
            if before.iter().any(|(other, _)| other == id) {
                problems.push(SettingsError::MemberTwice { what: format!("controller {id}") });
            }
            if before.iter().any(|(_, other)| other == address) {
                problems.push(SettingsError::MemberTwice { what: address.clone() });
            }
            if *id == self.id && *address != self.address {
                problems.push(SettingsError::AddressDiffers {
                    id: *id,
                    address: self.address.clone(),
                    listed: address.clone(),
                });
            }
        }
    }

    fn check_times(&self, problems: &mut Vec<SettingsError>) {
        if self.heartbeat < HEARTBEAT_MIN {
            problems.push(bounds("heartbeat", show(self.heartbeat), format!("at least {HEARTBEAT_MIN:?}")));
        }
        let lease_min = self.heartbeat * LEASE_HEARTBEATS_MIN;
        if self.lease < lease_min {
            problems.push(bounds(
                "lease",
                show(self.lease),
                format!("at least two heartbeats ({lease_min:?})"),
            ));
        }
        if self.raft_heartbeat < HEARTBEAT_MIN {
            problems.push(bounds(
                "raft_heartbeat",
                show(self.raft_heartbeat),
                format!("at least {HEARTBEAT_MIN:?}"),
            ));
        }
        let election_min = self.raft_heartbeat * 2;
        if self.election_min < election_min {
            problems.push(bounds(
                "election_min",
                show(self.election_min),
                format!("at least twice raft_heartbeat ({election_min:?})"),
            ));
        }
        if self.election_max <= self.election_min {
            problems.push(bounds(
                "election_max",
                show(self.election_max),
                format!("more than election_min ({:?})", self.election_min),
            ));
        }
    }
}

impl Settings {
    fn check_shares(&self, problems: &mut Vec<SettingsError>) {
        for (name, given, allowed) in [
            ("brake_percent", self.brake_percent, 1..=100),
            ("failover_per_second", self.failover_per_second, 0..=10_000),
            ("failover_in_flight", self.failover_in_flight, 1..=1_000),
        ] {
            if !allowed.contains(&given) {
                let (least, most) = allowed.into_inner();
                problems.push(bounds(name, given, format!("between {least} and {most}")));
            }
        }
    }
}

fn is_address(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn show(duration: Duration) -> String {
    format!("{duration:?}")
}

fn bounds(name: &'static str, given: impl ToString, bounds: String) -> SettingsError {
    SettingsError::Bounds { name, given: given.to_string(), bounds }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let members = vec![(ControllerId(1), "a:1".into()), (ControllerId(2), "b:1".into())];
        Settings::new(ControllerId(1), "a:1".into(), "data".into(), members)
    }

    #[test]
    fn the_defaults_have_no_problems() {
        assert_eq!(settings().problems(), []);
    }

    #[test]
    fn a_server_whose_clock_is_slower_lets_go_before_its_lease_is_over_for_the_leader() {
        for lease in [Duration::from_millis(20), Settings::DEFAULT_LEASE, Duration::from_secs(600)] {
            let granted = Settings { lease, ..settings() }.lease_granted();
            let passed = granted * (1_000_000 + CLOCK_DRIFT_PPM) / 1_000_000;
            assert!(passed <= lease && lease - passed < lease / 100_000, "{lease:?}: {passed:?}");
        }
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let wrong = Settings {
            lease: Duration::from_millis(1),
            election_max: Duration::from_millis(1),
            snapshot_every: 0,
            brake_percent: 0,
            failover_in_flight: 0,
            address: "nowhere".into(),
            members: vec![(ControllerId(1), "a:1".into()), (ControllerId(1), "a:1".into())],
            ..settings()
        };
        let text = wrong.problems().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        for expected in [
            "lease",
            "election_max",
            "snapshot_every",
            "brake_percent",
            "failover_in_flight",
            "\"nowhere\"",
            "controller 1 twice",
            "a:1 twice",
        ] {
            assert!(text.contains(expected), "{expected} is missing in:\n{text}");
        }
    }
}
