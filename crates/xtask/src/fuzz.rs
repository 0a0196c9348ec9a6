//! `cargo xtask fuzz`: every target for a while, stopped by the first failure.
//!
//! cargo-fuzz wants a nightly compiler for its sanitizers. Coverage alone, which is what guides libFuzzer,
//! comes from an LLVM pass that the stable compiler has too; the code has no `unsafe` for a sanitizer to watch.
//! Needs a C++ compiler, because libFuzzer is built from source.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

/// The flags that cargo-fuzz passes when it is told to use no sanitizer.
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The packages with the targets.
const PACKAGES: [&str; 3] = ["crates/wire/fuzz", "crates/controller/fuzz", "crates/directive/fuzz"];
/// Those with a feature `planted`, which puts a bug behind each of their decoders.
const PLANTED: [&str; 2] = ["crates/controller/fuzz", "crates/directive/fuzz"];

/// Longest time for one input, in seconds: inputs are a few kilobytes, so more than this is a loop.
const INPUT_TIMEOUT_S: u32 = 5;

/// Most memory for one target, in MB: no decoder may need more than its input.
const MEMORY_MAX_MB: u32 = 512;

#[derive(clap::Args)]
pub struct Args {
    /// How long to fuzz each target, in seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Fuzz only this target; may be repeated.
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// Run the one target on this input, as a failure left it, instead of fuzzing.
    #[arg(long, value_name = "FILE", requires = "targets")]
    replay: Option<PathBuf>,
    /// Show that the fuzzing works: with a bug behind each decoder, every target must fail. Not for the wire's.
    #[arg(long, conflicts_with = "replay")]
    planted: bool,
}

/// Builds the targets and runs them one after the other.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let fuzz = Fuzz::locate(args.planted)?;
    let targets = fuzz.targets(&args.targets)?;
    for package in targets.iter().map(|target| target.package.as_path()).collect::<BTreeSet<_>>() {
        fuzz.build(package)?;
    }
    if let Some(input) = &args.replay {
        ensure!(targets.len() == 1, "--replay needs exactly one --target");
        return fuzz.replay(&targets[0].name, input);
    }
    println!("{:<10} {:>12} {:>10} {:>9}", "target", "inputs", "per second", "coverage");
    targets.iter().try_for_each(|target| match args.planted {
        false => fuzz.fuzz(target, args.seconds),
        true => fuzz.find_planted(target, args.seconds),
    })
}

struct Target {
    name: String,
    /// Where it is built.
    package: PathBuf,
    /// The inputs that it begins with.
    seeds: PathBuf,
}

/// What a target's run came to.
struct Run {
    failed: bool,
    log: String,
}

struct Fuzz {
    root: PathBuf,
    /// Whether bugs are planted.
    planted: bool,
    /// Everything that may be deleted: binaries, found inputs, logs, failures.
    scratch: PathBuf,
    /// The machine we run on; named so that cargo keeps the flags away from build scripts.
    host: String,
}

impl Fuzz {
    fn locate(planted: bool) -> anyhow::Result<Fuzz> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let version = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
        let version = String::from_utf8(version.stdout).context("rustc's version is not text")?;
        let host =
            version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
        let scratch = root.join(if planted { "target/fuzz-planted" } else { "target/fuzz" });
        Ok(Fuzz { root, planted, scratch, host: host.to_owned() })
    }

    fn packages(&self) -> Vec<PathBuf> {
        let packages = PACKAGES.iter().filter(|package| !self.planted || PLANTED.contains(package));
        packages.map(|package| self.root.join(package)).collect()
    }

    /// All targets, or those that `wanted` names.
    fn targets(&self, wanted: &[String]) -> anyhow::Result<Vec<Target>> {
        let mut targets = Vec::new();
        for package in self.packages() {
            for entry in fs::read_dir(package.join("targets"))? {
                let path = entry?.path();
                let name = path.file_stem().and_then(|stem| stem.to_str());
                let name = name.with_context(|| format!("odd file name {}", path.display()))?.to_owned();
                let seeds = package.join("seeds").join(&name);
                targets.push(Target { name, package: package.clone(), seeds });
            }
        }
        targets.sort_by(|one, other| one.name.cmp(&other.name));
        let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
        for name in wanted {
            ensure!(names.contains(name), "no target {name}; there are {}", names.join(", "));
        }
        targets.retain(|target| wanted.is_empty() || wanted.contains(&target.name));
        Ok(targets)
    }

    fn build(&self, package: &Path) -> anyhow::Result<()> {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--locked", "--bins", "--target", &self.host])
            .args(if self.planted { &["--features", "planted"][..] } else { &[] })
            .arg("--manifest-path")
            .arg(package.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&self.scratch)
            .env("RUSTFLAGS", RUSTFLAGS)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .status()
            .context("cannot run cargo")?;
        ensure!(built.success(), "the fuzz targets do not build (libFuzzer needs a C++ compiler)");
        Ok(())
    }

    fn binary(&self, target: &str) -> Command {
        Command::new(self.scratch.join(&self.host).join("release").join(target))
    }

    /// A folder of this target's, made if it is not there.
    fn folder(&self, kind: &str, target: &str) -> anyhow::Result<PathBuf> {
        let folder = self.scratch.join(kind).join(target);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    fn fuzz(&self, target: &Target, seconds: u32) -> anyhow::Result<()> {
        let Run { failed, log } = self.run(target, seconds)?;
        if !failed {
            return print_row(&target.name, &log);
        }
        println!("{}", failure(&log));
        bail!(
            "target {0} failed; repeat it: cargo xtask fuzz --target {0} --replay <the file named above>",
            target.name
        )
    }

    /// Fails when nothing is found.
    fn find_planted(&self, target: &Target, seconds: u32) -> anyhow::Result<()> {
        let Run { failed, log } = self.run(target, seconds)?;
        ensure!(failed, "target {} has not found its planted bug", target.name);
        let found = failure(&log).lines().take(2).collect::<Vec<_>>().join(" ");
        println!("{:<10} found: {found}", target.name);
        Ok(())
    }

    fn run(&self, target: &Target, seconds: u32) -> anyhow::Result<Run> {
        let Target { name, seeds, .. } = target;
        let (corpus, failures) = (self.folder("corpus", name)?, self.folder("failures", name)?);
        let log = self.folder("log", name)?.join("last");
        let status = self
            .binary(name)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={INPUT_TIMEOUT_S}"))
            .arg(format!("-rss_limit_mb={MEMORY_MAX_MB}"))
            .arg(format!("-artifact_prefix={}/", failures.display()))
            .arg("-print_final_stats=1")
            .args([&corpus, seeds])
            .stdout(Stdio::null())
            .stderr(File::create(&log).with_context(|| format!("cannot write {}", log.display()))?)
            .status()
            .with_context(|| format!("cannot run target {name}"))?;
        let log = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        Ok(Run { failed: !status.success(), log })
    }

    fn replay(&self, target: &str, input: &Path) -> anyhow::Result<()> {
        let status =
            self.binary(target).arg(input).status().with_context(|| format!("cannot run {target}"))?;
        ensure!(status.success(), "target {target} fails on {}", input.display());
        Ok(())
    }
}

fn print_row(target: &str, log: &str) -> anyhow::Result<()> {
    let stat = |name: &str| {
        let value = log.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        value.with_context(|| format!("target {target} printed no {name}"))
    };
    let coverage = log.rsplit_once(" cov: ").and_then(|(_, rest)| rest.split_whitespace().next());
    let coverage = coverage.with_context(|| format!("target {target} was built without coverage"))?;
    let inputs = stat("stat::number_of_executed_units:")?;
    println!("{target:<10} {inputs:>12} {:>10} {coverage:>9}", stat("stat::average_exec_per_sec:")?);
    Ok(())
}

/// The end of a log, from where the target says what is wrong.
fn failure(log: &str) -> &str {
    let start = ["panicked at", "ERROR: libFuzzer", "SUMMARY"].iter().filter_map(|mark| log.find(mark)).min();
    let line = start.and_then(|at| log[..at].rfind('\n')).map_or(0, |at| at + 1);
    &log[line..]
}
