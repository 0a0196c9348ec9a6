//! Random histories: whatever the log says, the rules hold after each of its entries.
//!
//! A history that breaks one is shrunk and saved in `tests/failures/`; every file there is replayed by every later run,
//! so it is committed together with the fix.

mod action;
mod history;
mod invariants;
mod planted;
mod seen;
mod step;

use std::path::{Path, PathBuf};

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestError, TestRunner},
};

use action::Action;
use history::History;
use step::Step;

/// Longest random history. Short enough for eight names and four servers to be exhausted often.
const STEPS_MAX: usize = 60;

fn failures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/failures")
}

/// Resolves actions one by one against the map as it is then, and checks each step.
fn run_actions(actions: &[Action], checks: &[invariants::Check]) -> (Vec<Step>, Result<(), String>) {
    let mut history = History::new(checks);
    let mut steps = Vec::new();
    for action in actions {
        let step = history.resolve(action);
        steps.push(step.clone());
        if let Err(broken) = history.take(&step) {
            return (steps, Err(broken));
        }
    }
    (steps, Ok(()))
}

fn replay(steps: &[Step], checks: &[invariants::Check]) -> Result<(), String> {
    let mut history = History::new(checks);
    steps.iter().try_for_each(|step| history.take(step))
}

/// Looks for a history that breaks a check; gives the shortest one found, and what broke.
fn search(cases: u32, checks: &'static [invariants::Check]) -> Option<(Vec<Step>, String)> {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(any::<Action>(), 1..STEPS_MAX), |actions| {
        run_actions(&actions, checks).1.map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => None,
        Err(TestError::Fail(_, actions)) => {
            let (steps, result) = run_actions(&actions, checks);
            Some((steps, result.expect_err("it failed a moment ago")))
        }
        Err(TestError::Abort(reason)) => panic!("the search gave up: {reason}"),
    }
}

fn replay_all(directory: &Path, checks: &[invariants::Check]) -> Vec<String> {
    let files = match std::fs::read_dir(directory) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => panic!("{}: {error}", directory.display()),
    };
    let replay = |path: PathBuf| {
        let broken = replay(&step::load(&path), checks).err()?;
        Some(format!("{}: {broken}", path.display()))
    };
    files.filter_map(|file| replay(file.expect("readable").path())).collect()
}

#[test]
fn every_random_history_keeps_the_invariants_r7_r8_c14() {
    let Some((steps, broken)) = search(Config::default().cases, invariants::ALL) else { return };
    let path = step::save(&failures(), &steps);
    panic!("{broken}\nafter {} steps, saved as {}", steps.len(), path.display());
}

#[test]
fn every_history_that_once_failed_is_replayed() {
    assert_eq!(replay_all(&failures(), invariants::ALL), Vec::<String>::new());
}

/// The machinery itself: a check that is wrong about good code must be found out, shrunk, saved and replayed.
#[test]
fn a_failing_history_is_shrunk_saved_and_fails_again_when_replayed() {
    const WRONG: &[invariants::Check] = &[|moment| match moment.after.databases.len() {
        0..3 => Ok(()),
        len => Err(format!("{len} databases")),
    }];
    let (steps, broken) = search(256, WRONG).expect("three databases are soon there");
    assert_eq!(broken, "3 databases");
    assert!(steps.len() < 10, "three creates would do, shrinking found {}", steps.len());
    let directory = tempfile::tempdir().expect("a directory");
    let path = step::save(directory.path(), &steps);
    assert_eq!(step::load(&path), steps);
    assert_eq!(replay_all(directory.path(), WRONG), [format!("{}: 3 databases", path.display())]);
    assert_eq!(replay_all(directory.path(), invariants::ALL), Vec::<String>::new());
}
