//! What a run will do, from a seed: how large the cluster is, who works on it, and which faults come when.
//!
//! Pure. A plan is saved with every run and can be run again; that repeats what is done, not how threads take turns.

#[cfg(test)]
mod tests;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use crate::{nemesis::CATALOG, random::Random, workload::WORKLOADS};

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What it was made of, and what clients choose by.
    pub seed: u64,
    /// How long clients work, in seconds.
    pub seconds: u64,
    /// Controllers, handlers and servers of a cluster of its own.
    pub controllers: usize,
    /// See above.
    pub handlers: usize,
    /// See above.
    pub servers: usize,
    /// Who works.
    pub workloads: Vec<Work>,
    /// The faults, in order; none begins before the one before it has ended.
    pub steps: Vec<Step>,
}

/// A workload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// One of [`WORKLOADS`].
    pub name: String,
    /// Clients at a time.
    pub clients: u64,
    /// Operations a second, of all of them together.
    pub rate: u64,
    /// Databases that they share.
    pub databases: u64,
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When it begins, in milliseconds since clients began.
    pub at_ms: u64,
    /// How long it lasts, in milliseconds.
    pub for_ms: u64,
    /// Which, of [`CATALOG`].
    pub fault: String,
    /// To whom: one of its targets.
    pub target: String,
    /// Chooses among equals.
    pub pick: u64,
}

/// What the user asks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// See [`Plan::seed`].
    pub seed: u64,
    /// See [`Plan::seconds`].
    pub seconds: u64,
    /// Faults as `fault` or `fault:target`; none are all.
    pub faults: Vec<String>,
    /// Workloads by name; none are all.
    pub workloads: Vec<String>,
    /// Operations a second, of all workloads together.
    pub rate: u64,
    /// Faults are those of somebody else's program, under its names.
    pub foreign: bool,
}

/// Before the first fault, and after the last one, in milliseconds.
const QUIET_MS: u64 = 3_000;

impl Plan {
    /// Makes one. The same options give the same plan.
    ///
    /// # Errors
    /// When a fault, a target or a workload is unknown, or the time is too short.
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        let faults = if options.foreign { named(&options.faults) } else { chosen(&options.faults)? };
        let workloads = workloads(&options.workloads)?;
        ensure!(
            (10..=86_400).contains(&options.seconds),
            "a run takes 10 s to a day, not {} s",
            options.seconds
        );
        ensure!((1..=10_000).contains(&options.rate), "the rate is 1 to 10000 operations a second");
        let mut random = Random::new(options.seed);
        let rate = (options.rate / workloads.len() as u64).max(1);
        let work = |name: &&str| Work { name: (*name).to_owned(), clients: 5, rate, databases: 2 };
        Ok(Self {
            seed: options.seed,
            seconds: options.seconds,
            controllers: 3,
            handlers: 2,
            servers: 3,
            workloads: workloads.iter().map(work).collect(),
            steps: steps(&faults, options.seconds * 1_000, &mut random),
        })
    }
}

/// Pairs of a fault and its target, as they are given.
fn named(asked: &[String]) -> Vec<(&str, &str)> {
    match asked {
        [] => vec![("command", "any")],
        asked => asked.iter().map(|asked| asked.split_once(':').unwrap_or((asked, "any"))).collect(),
    }
}

/// Pairs of a fault and its target, of the catalogue.
fn chosen(asked: &[String]) -> anyhow::Result<Vec<(&'static str, &'static str)>> {
    let all = || CATALOG.iter().flat_map(|fault| fault.targets.iter().map(|target| (fault.name, *target)));
    if asked.is_empty() {
        return Ok(all().collect());
    }
    let mut chosen = Vec::new();
    for asked in asked.iter().filter(|asked| *asked != "none") {
        let (fault, target) =
            asked.split_once(':').map_or((&**asked, None), |(fault, target)| (fault, Some(target)));
        let before = chosen.len();
        chosen.extend(all().filter(|(name, of)| *name == fault && target.is_none_or(|target| target == *of)));
        let known: Vec<String> = all().map(|(fault, target)| format!("{fault}:{target}")).collect();
        ensure!(chosen.len() > before, "there is no fault {asked}; there are: none {}", known.join(" "));
    }
    Ok(chosen)
}

fn workloads(asked: &[String]) -> anyhow::Result<Vec<&'static str>> {
    if asked.is_empty() {
        return Ok(WORKLOADS.to_vec());
    }
    let find = |asked: &String| {
        let found = WORKLOADS.iter().copied().find(|name| name == asked);
        found.ok_or_else(|| {
            anyhow::anyhow!("there is no workload {asked}; there are: {}", WORKLOADS.join(" "))
        })
    };
    asked.iter().map(find).collect()
}

/// One fault after the other, each as often as the others, in an order of chance.
fn steps(faults: &[(&str, &str)], whole_ms: u64, random: &mut Random) -> Vec<Step> {
    let (mut steps, mut at_ms, mut hat): (_, _, Vec<usize>) = (Vec::new(), QUIET_MS, Vec::new());
    while !faults.is_empty() {
        if hat.is_empty() {
            hat = (0..faults.len()).collect();
        }
        let drawn = hat.swap_remove(random.below(hat.len() as u64) as usize);
        let (fault, target) = faults[drawn];
        // A cut shows nothing before a lease is over.
        let for_ms =
            if fault == "partition" { random.between(6_000, 14_000) } else { random.between(2_000, 9_000) };
        if at_ms + for_ms + QUIET_MS > whole_ms {
            break;
        }
        steps.push(Step {
            at_ms,
            for_ms,
            fault: fault.into(),
            target: target.into(),
            pick: random.next() >> 12,
        });
        at_ms += for_ms + random.between(2_000, 6_000);
    }
    steps
}
