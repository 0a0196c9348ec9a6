//! `cargo xtask ci`: everything that a change must pass, with a summary at the end.
//!
//! Every step runs, whatever became of those before it, so that one run shows all that is wrong.
//!
//! Most of the time goes into building. A step that builds for the whole workspace, even where it needs little of it, takes the
//! crates of others from the steps before; with `--package` Cargo gives some of them other features, and builds those, and
//! whatever uses them, once more.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::requirements::{self, Verdicts};

#[derive(clap::Args)]
pub struct Args {
    /// Leave a step out; may be repeated
    #[arg(long = "skip", value_name = "STEP", value_parser = STEPS)]
    skip: Vec<String>,
    /// How long to fuzz each target, in seconds
    #[arg(long, default_value_t = 8)]
    fuzz_seconds: u32,
}

const STEPS: [&str; 9] = ["format", "lint", "docs", "test", "sim", "rules", "cloud", "requirements", "fuzz"];

/// What a step came to.
struct Outcome {
    step: &'static str,
    counts: Counts,
    took: Duration,
}

/// How many checks went well, and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// Runs the steps.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (mut outcomes, mut verdicts) = (Vec::new(), Verdicts::default());
    for step in STEPS.into_iter().filter(|step| !args.skip.iter().any(|skipped| skipped == step)) {
        println!("\n== {step}");
        std::io::stdout().flush()?;
        let began = Instant::now();
        let counts = play(step, args, &mut verdicts).with_context(|| format!("cannot run step {step}"))?;
        outcomes.push(Outcome { step, counts, took: began.elapsed() });
    }
    let total = outcomes.iter().fold(Counts::default(), |sum, outcome| sum.and(outcome.counts));
    println!("\n{:<12} {:>8} {:>8} {:>9}", "step", "passed", "failed", "seconds");
    for Outcome { step, counts, took } in &outcomes {
        println!("{step:<12} {:>8} {:>8} {:>9.1}", counts.passed, counts.failed, took.as_secs_f64());
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn play(step: &str, args: &Args, verdicts: &mut Verdicts) -> anyhow::Result<Counts> {
    let workspace = ["--workspace", "--locked"];
    match step {
        "format" => check(cargo(&["fmt", "--all", "--check"])),
        "lint" => check(cargo(&["clippy"]).args(workspace).args(["--all-targets", "--", "-D", "warnings"])),
        "docs" => check(
            cargo(&["doc", "--no-deps", "--document-private-items"])
                .args(workspace)
                // Private items are documented too, so links to them are welcome.
                .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"),
        ),
        "test" => {
            // Built with all tests, beside this program: each test that builds it alone would build most of it again.
            let program = std::env::current_exe()?.with_file_name("stationmaster");
            let mut tests = cargo(&["test", "--no-fail-fast"]);
            test(tests.args(workspace).env("STATIONMASTER_BIN", program), verdicts)
        }
        // The promises hold under faults, and what watches them finds bugs that are planted.
        "sim" => {
            let seeds = check(cargo(&["xtask", "sim", "--seeds", "20"]))?;
            Ok(seeds.and(check(cargo(&["xtask", "sim", "--catch", "--seeds", "10"]))?))
        }
        // What is not in the usual build: expressions in directives.
        "rules" => {
            let feature = ["-p", "directive", "--features", "rules", "--locked"];
            // The driver, too: with the crate of expressions around, Rust infers other types.
            let both = ["-p", "directive", "-p", "driver", "--features", "directive/rules", "--locked"];
            let lint = check(cargo(&["clippy", "--all-targets"]).args(both).args(["--", "-D", "warnings"]))?;
            Ok(lint.and(test(cargo(&["test", "--no-fail-fast"]).args(feature), verdicts)?))
        }
        "requirements" if args.skip.iter().any(|skipped| ["test", "rules"].contains(&skipped.as_str())) => {
            println!("not looked at, because the tests were left out");
            Ok(Counts::default())
        }
        "requirements" => {
            let (passed, failed) = requirements::judge(verdicts)?;
            Ok(Counts { passed, failed })
        }
        // What is not in the usual build: the stores of clouds, against a server of one in the tests.
        "cloud" => {
            let feature = ["--features", "cloud", "--locked"];
            let lint = check(
                cargo(&["clippy", "-p", "stationmaster", "-p", "tests", "--all-targets"])
                    .args(feature)
                    .args(["--", "-D", "warnings"]),
            )?;
            let mut tests = cargo(&["test", "--no-fail-fast", "-p", "journal"]);
            // Its server in Python must be there: `.ci/run` installs it.
            let journal = test(tests.args(feature).env("STATIONMASTER_REQUIRE_MOTO", "1"), verdicts)?;
            let mut fleet = cargo(&["test", "-p", "tests", "--test", "object_store"]);
            Ok(lint.and(journal).and(test(fleet.args(feature), verdicts)?))
        }
        "fuzz" => check(cargo(&["xtask", "fuzz", "--seconds"]).arg(args.fuzz_seconds.to_string())),
        _ => unreachable!("BUG: {step} is not among STEPS"),
    }
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    // What it costs is got back when something small has changed since the last build, which is not so here.
    command.args(arguments).env("CARGO_INCREMENTAL", "0");
    command
}

/// A command that is one check.
fn check(mut command: impl std::borrow::BorrowMut<Command>) -> anyhow::Result<Counts> {
    let status = command.borrow_mut().status()?;
    Ok(Counts::one(status.success()))
}

/// A command that runs tests: shows what it prints, counts, and notes what became of each.
fn test(command: &mut Command, verdicts: &mut Verdicts) -> anyhow::Result<Counts> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().context("BUG: its output is piped")?;
    let mut counts = Counts::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        counts = counts.and(counted(&line));
        verdicts.add(&line);
    }
    let status = child.wait()?;
    // What does not even compile has no failed test to show for it.
    let silent = !status.success() && counts.failed == 0;
    Ok(if silent { counts.and(Counts::one(false)) } else { counts })
}

/// Reads `test result: ok. 12 passed; 0 failed; …`.
fn counted(line: &str) -> Counts {
    let Some(rest) = line.strip_prefix("test result: ") else { return Counts::default() };
    let number = |what: &str| {
        let before = rest.split(';').find_map(|part| part.trim().strip_suffix(what))?;
        before.split_whitespace().last()?.parse().ok()
    };
    Counts { passed: number("passed").unwrap_or(0), failed: number("failed").unwrap_or(0) }
}

impl Counts {
    fn one(good: bool) -> Self {
        Self { passed: good.into(), failed: (!good).into() }
    }

    fn and(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_cargo_test_are_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(counted(line), Counts { passed: 12, failed: 3 });
        assert_eq!(counted("test result_is_shown ... ok"), Counts::default());
    }
}
