//! What goes wrong in a run, from its seed.

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

use crate::{
    chance,
    clients::{DATABASES, HANDLERS, name},
    net::Loss,
    roles::CONTROLLERS,
    run::SERVERS,
    store::{STORE, Trouble},
};

/// How long faults come and go.
pub const FAULTS_MS: u64 = 30_000;
/// How much faster or slower than the true one a host's clock may run, in millionths: the most that NTP slews a clock by. Two
/// then differ by the most that controllers allow for (`controller::limits::CLOCK_DRIFT_PPM`).
const RATE_PPM: i64 = 500;
/// How far its wall clock may be off.
const WALL_OFF_MS: i64 = 3_600_000;

/// Everything that is decided before a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What goes wrong, by its beginning.
    pub steps: Vec<Step>,
    /// Each host's clock: its rate in millionths, and how far its wall clock is off.
    pub clocks: Vec<(String, i64, i64)>,
}

/// One fault.
#[derive(Clone, Debug)]
pub struct Step {
    /// When, after clients began.
    pub from_ms: u64,
    /// Until when.
    pub to_ms: u64,
    /// What.
    pub fault: Fault,
}

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process is killed, and started again.
    Kill(String),
    /// A host loses power, and is started again.
    Power(String),
    /// A controller's disk gets slow, and with its next write, before that is durable, the host loses power.
    Unsynced(u64),
    /// A process stands still.
    Pause(String),
    /// The leading controller is cut off from the other controllers; everybody else reaches it.
    Deposed,
    /// Nothing gets from the first to the second, nor back when both ways are cut.
    Cut {
        /// Whose words get lost.
        from: Vec<String>,
        /// For whom.
        to: Vec<String>,
        /// Whether the way back is cut, too.
        both: bool,
    },
    /// The owner of a database and a handler are cut off from everybody else, and from the store or not.
    Stale {
        /// The database's name.
        database: String,
        /// The handler.
        handler: String,
        /// Whether from the store, too.
        store: bool,
    },
    /// The owner of a database is killed.
    KillOwner(String),
    /// The owner of a database is killed when its next write has landed in the store, before anybody hears of it.
    Unanswered(String),
    /// Everything takes longer between two hosts.
    Slow(String, String, u64),
    /// Connections of a host break again and again, with what is on its way.
    Breaking(String),
    /// Single messages from and to a host get lost and doubled.
    Lossy(String, Loss),
    /// The object store is in trouble.
    Store(Trouble),
    /// A controller's disk is slow.
    Disk(u64, u64),
    /// A host's wall clock jumps.
    Wall(String, i64),
}

/// Every host that can be hit.
pub fn hosts() -> Vec<String> {
    let of = |letter: &'static str, count| (1..=count).map(move |id| format!("{letter}{id}"));
    of("c", CONTROLLERS).chain(of("s", SERVERS)).chain(of("h", HANDLERS)).collect()
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = chance::stream(seed, 1);
        let clocks = hosts().into_iter().map(|host| {
            let rate = random.random_range(-RATE_PPM..=RATE_PPM);
            (host, rate, random.random_range(-WALL_OFF_MS..=WALL_OFF_MS))
        });
        let clocks = clocks.collect();
        let mut steps = Vec::new();
        let mut at = 500;
        while at < FAULTS_MS {
            let fault = fault(&mut random);
            let lasts_min = match fault {
                // Longer than a lease, or than an election: before that nothing can go wrong.
                Fault::Stale { .. } => 5_000,
                Fault::Deposed => 2_500,
                _ => 500,
            };
            let to_ms = (at + random.random_range(lasts_min..10_000)).min(FAULTS_MS);
            steps.push(Step { from_ms: at, to_ms, fault });
            // Some overlap.
            at += random.random_range(500..4_500);
        }
        Self { steps, clocks }
    }
}

fn fault(random: &mut StdRng) -> Fault {
    let hosts = hosts();
    let any = |random: &mut StdRng| hosts.choose(random).cloned().unwrap_or_default();
    let database = |random: &mut StdRng| name(random.random_range(0..DATABASES));
    match random.random_range(0..100) {
        0..7 => Fault::Kill(any(random)),
        7..10 => Fault::KillOwner(database(random)),
        10..22 => Fault::Unanswered(database(random)),
        22..28 => Fault::Power(any(random)),
        28..33 => Fault::Unsynced(random.random_range(1..=CONTROLLERS)),
        33..39 => Fault::Pause(any(random)),
        39..47 => Fault::Deposed,
        47..55 => cut(random, &hosts),
        55..69 => Fault::Stale {
            database: name(DATABASES - 1),
            handler: "h1".into(),
            store: random.random_bool(0.5),
        },
        69..72 => Fault::Slow(any(random), any(random), random.random_range(20..400)),
        72..75 => Fault::Breaking(any(random)),
        75..85 => Fault::Lossy(any(random), loss(random)),
        85..93 => Fault::Store(trouble(random)),
        93..96 => Fault::Disk(random.random_range(1..=CONTROLLERS), random.random_range(20..300)),
        _ => Fault::Wall(any(random), random.random_range(-WALL_OFF_MS..=WALL_OFF_MS)),
    }
}

fn cut(random: &mut StdRng, hosts: &[String]) -> Fault {
    let controllers: Vec<String> = (1..=CONTROLLERS).map(|id| format!("c{id}")).collect();
    let both = random.random_bool(0.6);
    let (from, mut to): (Vec<String>, Vec<String>) = match random.random_range(0..4) {
        // One controller from the others alone: clients still ask it.
        0 => {
            let at = random.random_range(0..controllers.len());
            let others = controllers.iter().enumerate().filter(|(other, _)| *other != at);
            (vec![controllers[at].clone()], others.map(|(_, other)| other.clone()).collect())
        }
        // A server from the controllers.
        1 => (vec![format!("s{}", random.random_range(1..=SERVERS))], controllers),
        // Any host from all others.
        2 => {
            let host = hosts.choose(random).cloned().unwrap_or_default();
            let others = hosts.iter().filter(|other| **other != host).cloned().collect();
            (vec![host], others)
        }
        // Any part from the rest.
        _ => hosts.iter().cloned().partition(|_| random.random_bool(0.5)),
    };
    if random.random_bool(0.3) {
        to.push(STORE.into());
    }
    let turned = random.random_bool(0.5);
    let (from, to) = if turned { (to, from) } else { (from, to) };
    Fault::Cut { from, to, both }
}

fn loss(random: &mut StdRng) -> Loss {
    Loss { lost: random.random_range(1..25), twice: random.random_range(1..40) }
}

fn trouble(random: &mut StdRng) -> Trouble {
    let mut share = |most: u32| if random.random_bool(0.5) { random.random_range(0..most) } else { 0 };
    Trouble {
        fails: share(30),
        answer_lost: share(30),
        late: share(20),
        twice: share(20),
        reads_fail: share(30),
        slow_ms: share(400).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_plan_and_seeds_give_others() {
        let plan = |seed| format!("{:?}", Plan::of(seed));
        assert_eq!(plan(3), plan(3));
        assert_ne!(plan(3), plan(4));
    }

    #[test]
    fn some_seed_of_a_few_has_each_kind_of_fault() {
        let steps: Vec<Step> = (0..30).flat_map(|seed| Plan::of(seed).steps).collect();
        let has = |of: fn(&Fault) -> bool| assert!(steps.iter().any(|step| of(&step.fault)));
        has(|fault| matches!(fault, Fault::Kill(_)));
        has(|fault| matches!(fault, Fault::KillOwner(_)));
        has(|fault| matches!(fault, Fault::Unanswered(_)));
        has(|fault| matches!(fault, Fault::Power(_)));
        has(|fault| matches!(fault, Fault::Unsynced(_)));
        has(|fault| matches!(fault, Fault::Pause(_)));
        has(|fault| matches!(fault, Fault::Deposed));
        has(|fault| matches!(fault, Fault::Cut { both: true, .. }));
        has(|fault| matches!(fault, Fault::Cut { both: false, .. }));
        has(|fault| matches!(fault, Fault::Stale { .. }));
        has(|fault| matches!(fault, Fault::Slow(..)));
        has(|fault| matches!(fault, Fault::Breaking(_)));
        has(|fault| matches!(fault, Fault::Lossy(..)));
        has(|fault| matches!(fault, Fault::Store(_)));
        has(|fault| matches!(fault, Fault::Disk(..)));
        has(|fault| matches!(fault, Fault::Wall(..)));
        assert!(steps.iter().all(|step| step.from_ms < step.to_ms && step.to_ms <= FAULTS_MS));
    }
}
