//! `stationmaster map import`: makes what JSON lines name and the map does not have.
//!
//! Everything is checked before anything is done, against the map as it is then, and each bad line is named. What is
//! there already stays as it is, so repeating an import, whole or after a break, does what is left.

mod plan;

use std::{collections::BTreeMap, io::Read, path::Path, process::ExitCode};

use anyhow::{Context, bail};
use futures::{StreamExt, stream};
use serde_json::json;

use self::plan::{Plan, Step};
use super::backup::fetch;
use crate::{
    operate::{Reach, listing::print},
    role,
};

/// How many changes are under way at a time.
const AT_ONCE: usize = 32;
/// How many bad lines are named.
const BAD_SHOWN: usize = 100;

/// Imports a file, or only tells what that would do.
pub async fn run(reach: &Reach, file: &Path, dry_run: bool) -> anyhow::Result<ExitCode> {
    let text = text(file)?;
    let cluster = reach.cluster()?;
    let (_, backup) = fetch(&cluster).await?;
    let Plan { steps, unchanged } = match Plan::of(&text, backup.fleet(), role::now()) {
        Ok(plan) => plan,
        Err(bad) => {
            for (line, what) in bad.iter().take(BAD_SHOWN) {
                eprintln!("{}:{line}: {what}", file.display());
            }
            if bad.len() > BAD_SHOWN {
                eprintln!("… and {} more", bad.len() - BAD_SHOWN);
            }
            bail!("nothing was changed: {} of the lines cannot be imported", bad.len());
        }
    };
    let mut counts: BTreeMap<&str, u64> = BTreeMap::from([("unchanged", unchanged)]);
    let mut failed = 0;
    // Options need their database to be there.
    let (first, second): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|step| !step.is_option());
    for steps in [first, second] {
        if dry_run {
            for step in &steps {
                eprintln!("line {}: would {}", step.line, step.what);
                *counts.entry(step.kind).or_default() += 1;
            }
            continue;
        }
        let cluster = &cluster;
        let done = stream::iter(steps).map(|step| async move {
            let done = cluster.operate(step.operation.clone()).await;
            (step, done)
        });
        let mut done = done.buffer_unordered(AT_ONCE);
        while let Some((step, result)) = done.next().await {
            match result {
                Ok(_) => *counts.entry(step.kind).or_default() += 1,
                Err(error) => {
                    eprintln!("line {}: cannot {}: {error:#}", step.line, step.what);
                    failed += 1;
                }
            }
        }
    }
    let would = if dry_run { "would be " } else { "" };
    let told: Vec<String> = counts
        .iter()
        .map(|(kind, count)| match *kind {
            "unchanged" => format!("{count} unchanged"),
            kind => format!("{count} {would}{kind}"),
        })
        .collect();
    let failures = if failed == 0 { String::new() } else { format!(", {failed} failed") };
    let json = || json!({ "dry_run": dry_run, "failed": failed, "counts": counts });
    print(reach.json, json, || format!("{}{failures}\n", told.join(", ")))?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn text(file: &Path) -> anyhow::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).context("cannot read stdin")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
