//! Many seeds, each in a process of its own, as many at a time as there are cores.

use std::{
    process::{Command, ExitCode, Output},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Instant,
};

use anyhow::ensure;
use sabotage::Sabotage;

/// One seed that was run.
struct Ran {
    seed: u64,
    code: i32,
    text: String,
}

fn one(seed: u64, bug: Option<&str>) -> anyhow::Result<Ran> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--one", "--seed", &seed.to_string()]);
    if let Some(bug) = bug {
        command.env(sabotage::VARIABLE, bug);
    }
    let Output { status, stdout, stderr } = command.output()?;
    let text = [stdout, stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(Ran { seed, code: status.code().unwrap_or(2), text })
}

/// Runs so many seeds from the first on; ends with 1 when one of them was not valid.
///
/// # Errors
/// When a process cannot be started, or a bug cannot be planted.
pub fn run(first: u64, count: u64, bug: Option<&str>) -> anyhow::Result<ExitCode> {
    ensure!(bug.is_none() || cfg!(feature = "sabotage"), "this build lacks the feature sabotage");
    let began = Instant::now();
    let next = AtomicU64::new(first);
    let work = || {
        let mut bad = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return anyhow::Ok(bad);
            }
            let ran = one(seed, bug)?;
            match ran.code {
                0 => {
                    print!("{}", ran.text.lines().next().map(|line| format!("{line}\n")).unwrap_or_default())
                }
                _ => {
                    print!("{}", ran.text);
                    println!("  repeat it: {}", repeat(ran.seed, bug));
                    bad.push(ran.seed);
                }
            }
        }
    };
    let mut bad = on_all_cores(work)?;
    bad.sort_unstable();
    println!("{count} seeds in {:.1} s, not valid: {bad:?}", began.elapsed().as_secs_f64());
    Ok(if bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The one command that repeats a seed.
fn repeat(seed: u64, bug: Option<&str>) -> String {
    let bug = bug.map(|bug| format!(" --sabotage {bug}")).unwrap_or_default();
    format!("cargo xtask sim --seed {seed}{bug}")
}

/// Plants each bug, and runs seeds until one catches it; ends with 1 when `count` seeds do not.
///
/// # Errors
/// As [`run`].
pub fn catch(first: u64, count: u64) -> anyhow::Result<ExitCode> {
    ensure!(cfg!(feature = "sabotage"), "this build lacks the feature sabotage");
    let next = AtomicUsize::new(0);
    let all = on_all_cores(|| {
        let mut missed = Vec::new();
        while let Some((bug, _)) = Sabotage::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            if !is_caught(bug, first, count)? {
                missed.push(*bug);
            }
        }
        Ok(missed)
    })?;
    Ok(if all.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn is_caught(bug: &str, first: u64, count: u64) -> anyhow::Result<bool> {
    let began = Instant::now();
    for seed in first..first + count {
        let ran = one(seed, Some(bug))?;
        if ran.code == 1 {
            let lines = ran.text.lines().filter(|line| line.starts_with("  ") && line.contains(" invalid "));
            let by: Vec<&str> = lines.filter_map(|line| line.split_whitespace().next()).collect();
            let took = began.elapsed().as_secs_f64();
            println!("{bug}: caught by {} after {took:.0} s: {}", by.join(", "), repeat(seed, Some(bug)));
            return Ok(true);
        }
    }
    println!("{bug}: not caught by {count} seeds in {:.0} s", began.elapsed().as_secs_f64());
    Ok(false)
}

/// Has each core do this, and gathers what all of them found.
fn on_all_cores<T: Send>(work: impl Fn() -> anyhow::Result<Vec<T>> + Sync) -> anyhow::Result<Vec<T>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(&work)).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().expect("BUG: it does not panic")?);
        }
        Ok(all)
    })
}
