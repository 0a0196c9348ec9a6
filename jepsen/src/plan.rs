//! What a run will do, from a seed: how large the cluster is, who works on it, and which faults come when.
//!
//! Pure. A plan is saved with every run and can be run again; that repeats what is done, not how threads take turns.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    ops::{Range, RangeInclusive},
};

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
/// Operations a second.
const RATES: RangeInclusive<u64> = 1..=10_000;

impl Plan {
    /// Makes one. The same options give the same plan, in one release.
    ///
    /// # Errors
    /// When a fault, a target or a workload is unknown, or there is no time for any of the faults.
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        let faults = if options.foreign { named(&options.faults) } else { chosen(&options.faults)? };
        ensure!(RATES.contains(&options.rate), "the rate is 1 to {} operations a second", RATES.end());
        let names = match &options.workloads[..] {
            [] => WORKLOADS.iter().map(|name| (*name).to_owned()).collect(),
            asked => asked.to_vec(),
        };
        let rate = (options.rate / names.len() as u64).max(1);
        let work = |name| Work { name, clients: 5, rate, databases: 2 };
        let mut random = Random::new(options.seed);
        let plan = Self {
            seed: options.seed,
            seconds: options.seconds,
            controllers: 3,
            handlers: 2,
            servers: 3,
            workloads: names.into_iter().map(work).collect(),
            steps: steps(&faults, options.seconds.saturating_mul(1_000), &mut random),
        };
        let plan = plan.checked(options.foreign)?;
        ensure!(
            faults.is_empty() || !plan.steps.is_empty(),
            "{} s leave no time for any of the faults: {}",
            plan.seconds,
            faults.iter().map(|fault| needs(*fault)).collect::<Vec<_>>().join(", ")
        );
        Ok(plan)
    }

    /// This plan, when it can be run; whether it was made from a seed or by hand. Faults of somebody else's program have
    /// names that nobody knows here.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checked(self, foreign: bool) -> anyhow::Result<Self> {
        let Self { seconds, controllers, handlers, servers, .. } = self;
        ensure!((10..=86_400).contains(&seconds), "a run takes 10 s to a day, not {seconds} s");
        for (role, count) in [("controllers", controllers), ("handlers", handlers), ("servers", servers)] {
            ensure!((1..=20).contains(&count), "a cluster has 1 to 20 {role}, not {count}");
        }
        ensure!(!self.workloads.is_empty(), "a plan without workloads shows nothing");
        let mut names = BTreeSet::new();
        for work in &self.workloads {
            work.check()?;
            ensure!(names.insert(&work.name), "the workload {} is there twice", work.name);
        }
        let mut free_from = 0;
        for step in &self.steps {
            let name = format!("{}:{}", step.fault, step.target);
            ensure!(foreign || all().any(|fault| fault == (&*step.fault, &*step.target)), unknown(&name));
            let end = step.at_ms.saturating_add(step.for_ms);
            ensure!(
                step.at_ms >= free_from,
                "{name} begins at {} ms, before the last fault ends",
                step.at_ms
            );
            ensure!(end <= seconds * 1_000, "{name} ends at {end} ms, after the {seconds} s of the run");
            free_from = end;
        }
        Ok(self)
    }
}

impl Work {
    fn check(&self) -> anyhow::Result<()> {
        let Self { name, clients, rate, databases } = self;
        ensure!(
            WORKLOADS.contains(&&**name),
            "there is no workload {name}; there are: {}",
            WORKLOADS.join(" ")
        );
        ensure!((1..=1_000).contains(clients), "{name}: 1 to 1000 clients, not {clients}");
        ensure!(RATES.contains(rate), "{name}: 1 to {} operations a second, not {rate}", RATES.end());
        ensure!((1..=100).contains(databases), "{name}: 1 to 100 databases, not {databases}");
        Ok(())
    }
}

/// Pairs of a fault and its target, as they are given.
fn named(asked: &[String]) -> Vec<(&str, &str)> {
    match asked {
        [] => vec![("command", "any")],
        asked => asked.iter().map(|asked| asked.split_once(':').unwrap_or((asked, "any"))).collect(),
    }
}

/// Every fault with each of its targets.
fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    CATALOG.iter().flat_map(|fault| fault.targets.iter().map(|target| (fault.name, *target)))
}

fn unknown(fault: &str) -> String {
    let known: Vec<String> = all().map(|(fault, target)| format!("{fault}:{target}")).collect();
    format!("there is no fault {fault}; there are: none {}", known.join(" "))
}

/// How long a fault lasts, in milliseconds.
fn lasts(fault: &str) -> Range<u64> {
    // A cut shows nothing before a lease is over.
    if fault == "partition" { 6_000..14_000 } else { 2_000..9_000 }
}

/// What time a fault needs, in words.
fn needs((fault, target): (&str, &str)) -> String {
    format!("{fault}:{target} needs {} s", (lasts(fault).start + 2 * QUIET_MS) / 1_000)
}

/// Pairs of a fault and its target, of the catalogue.
fn chosen(asked: &[String]) -> anyhow::Result<Vec<(&'static str, &'static str)>> {
    if asked.is_empty() {
        return Ok(all().collect());
    }
    let mut chosen = Vec::new();
    for asked in asked.iter().filter(|asked| *asked != "none") {
        let (fault, target) =
            asked.split_once(':').map_or((&**asked, None), |(fault, target)| (fault, Some(target)));
        let before = chosen.len();
        chosen.extend(all().filter(|(name, of)| *name == fault && target.is_none_or(|target| target == *of)));
        ensure!(chosen.len() > before, unknown(asked));
    }
    Ok(chosen)
}

/// One fault after the other, each as often as the others, in an order of chance. One for which there is no time any more
/// makes way for those that there is time for.
fn steps(faults: &[(&str, &str)], whole_ms: u64, random: &mut Random) -> Vec<Step> {
    let (mut steps, mut at_ms, mut fresh) = (Vec::new(), QUIET_MS, true);
    let mut hat: Vec<usize> = (0..faults.len()).collect();
    while !hat.is_empty() {
        let (fault, target) = faults[hat.swap_remove(random.below(hat.len() as u64) as usize)];
        let Range { start, end } = lasts(fault);
        let room_ms = whole_ms.saturating_sub(at_ms + QUIET_MS);
        if start <= room_ms {
            let (for_ms, pick) = (random.between(start, end.min(room_ms + 1)), random.next() >> 12);
            steps.push(Step { at_ms, for_ms, fault: fault.into(), target: target.into(), pick });
            at_ms += for_ms + random.between(2_000, 6_000);
            fresh = false;
        }
        // A hat of which nothing fitted is the last one.
        if hat.is_empty() && !std::mem::replace(&mut fresh, true) {
            hat = (0..faults.len()).collect();
        }
    }
    steps
}
