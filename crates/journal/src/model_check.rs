//! The protocol under random schedules: the pure rules of this crate, a store and a network that do their worst, and
//! several processes that each believe they own the database.
//!
//! Every step is one atomic action of a store. A put may land and lose its answer, land long after, land twice, or
//! never; a process may stop between any two steps for as long as the schedule likes.
//! Each rule of the protocol that looks superfluous is taken away in turn, and the checker must notice: a checker that
//! has never caught anything proves nothing. (S1, R28, R29)

mod process;
mod world;

use rand::{Rng, SeedableRng, rngs::SmallRng};

use process::Process;
use world::World;

/// The rules that a run keeps. All of them, but for what a test takes away.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// Garbage is collected at all.
    collect: bool,
    /// Garbage collection keeps fences that followed no seal.
    keep_fences: bool,
    /// An opening lists again after its fence.
    verify_fence: bool,
    /// *Taken* is success only after the object was read.
    read_what_took_it: bool,
    /// A put is repeated with the same bytes.
    same_bytes: bool,
    /// Openings check that each record follows the one before it.
    chain: bool,
    /// Garbage collection keeps the record at the newest snapshot's position.
    boundary: bool,
    /// An owner that lost a position says so only if the position cannot have been garbage meanwhile.
    ask_before_refusing: bool,
}

impl Rules {
    const ALL: Self = Self {
        collect: true,
        keep_fences: true,
        verify_fence: true,
        read_what_took_it: true,
        same_bytes: true,
        chain: true,
        boundary: true,
        ask_before_refusing: true,
    };
}

/// What an episode came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    opened: u64,
    acknowledged: u64,
    collected: u64,
}

const PROCESSES: usize = 4;
const STEPS: usize = 600;

/// Runs one schedule; returns what was violated, if anything.
fn episode(rules: Rules, seed: u64, tally: &mut Tally) -> Option<String> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut world = World::default();
    let mut processes: Vec<Process> =
        (0..PROCESSES).map(|number| Process::new(number as u64, rules)).collect();
    // Who runs changes in phases, so that some processes sleep through much of what others do.
    let mut awake = 0..PROCESSES;
    for _ in 0..STEPS {
        if random.random_ratio(1, 24) {
            let first = random.random_range(0..PROCESSES);
            awake = first..random.random_range(first + 1..=PROCESSES);
        }
        if random.random_ratio(1, 6) {
            world.land_something(&mut random);
        }
        let who = random.random_range(awake.clone());
        processes[who].step(&mut world, &mut random);
        if let Some(violation) = world.violation.take() {
            return Some(violation);
        }
    }
    tally.opened += world.opened.len() as u64;
    tally.acknowledged += world.acknowledged.len() as u64;
    tally.collected += world.collected;
    None
}

/// The first of these seeds whose schedule violates something.
fn first_violation(rules: Rules, seeds: std::ops::Range<u64>) -> Option<(u64, String)> {
    let mut tally = Tally::default();
    seeds.into_iter().find_map(|seed| episode(rules, seed, &mut tally).map(|violation| (seed, violation)))
}

/// Schedules that the whole protocol is tried under; the environment may ask for more.
fn episodes() -> u64 {
    std::env::var("JOURNAL_MODEL_EPISODES").map_or(4_000, |text| text.parse().expect("a number of episodes"))
}

#[test]
fn no_acknowledged_write_is_lost_under_any_schedule_tried() {
    let mut tally = Tally::default();
    for seed in 0..episodes() {
        let violation = episode(Rules::ALL, seed, &mut tally);
        assert_eq!(violation, None, "seed {seed}");
    }
    let Tally { opened, acknowledged, collected } = tally;
    assert!(
        opened > 10_000 && acknowledged > 20_000 && collected > 20_000,
        "the runs hardly do anything: {tally:?}"
    );
}

#[test]
fn collecting_fences_loses_an_acknowledged_write() {
    let rules = Rules { keep_fences: false, ..Rules::ALL };
    assert!(first_violation(rules, 0..200).is_some());
}

#[test]
fn not_verifying_the_fence_loses_an_acknowledged_write() {
    let rules = Rules { verify_fence: false, ..Rules::ALL };
    assert!(first_violation(rules, 0..200).is_some());
}

#[test]
fn taking_a_taken_position_for_success_loses_an_acknowledged_write() {
    let rules = Rules { read_what_took_it: false, ..Rules::ALL };
    assert!(first_violation(rules, 0..200).is_some());
}

#[test]
fn repeating_a_put_with_other_bytes_loses_an_acknowledged_write() {
    let rules = Rules { same_bytes: false, ..Rules::ALL };
    assert!(first_violation(rules, 0..200).is_some());
}

#[test]
fn not_checking_the_chain_loses_an_acknowledged_write() {
    let rules = Rules { chain: false, ..Rules::ALL };
    assert!(first_violation(rules, 1_000..5_000).is_some());
}

#[test]
fn collecting_the_record_of_the_newest_snapshot_loses_an_acknowledged_write() {
    let rules = Rules { boundary: false, ..Rules::ALL };
    assert!(first_violation(rules, 0..200).is_some());
}

#[test]
fn taking_a_lost_position_for_a_write_that_never_landed_is_wrong() {
    let rules = Rules { ask_before_refusing: false, ..Rules::ALL };
    let (_, violation) = first_violation(rules, 2_000..20_000).expect("found");
    assert!(violation.contains("refused"), "{violation}");
}

#[test]
fn without_garbage_collection_nothing_is_lost_though_rules_are_broken() {
    let rules = Rules { collect: false, keep_fences: false, verify_fence: false, ..Rules::ALL };
    assert_eq!(first_violation(rules, 0..1_000), None);
}
