//! A run: a cluster, clients, faults, recovery, verdicts.

mod afflict;
mod boot;
mod coverage;
mod recovery;
mod summary;
mod watch;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use history::Finding;
use tokio::{sync::watch::channel, time::sleep_until};

use crate::{
    Plan, Target,
    nemesis::{ANSWER_TIMEOUT, Foreign},
    random::Random,
    workload::{self, check},
};
use afflict::{Hand, afflict, caught};
pub use summary::Summary;
use summary::{Judged, outages};

/// Where a run takes place.
pub enum Place {
    /// On a cluster of its own, which is booted and thrown away.
    Own,
    /// On one that somebody else runs; without faults of ours.
    Attached(Target),
}

/// What a run has beside its plan.
#[derive(Clone, Debug)]
pub struct Extras {
    /// A program that makes the faults instead of us.
    pub nemesis_command: Option<String>,
    /// A bug to be planted into every process.
    pub sabotage: Option<String>,
    /// How long it may take after the last fault until everything is well again.
    pub recovery: Duration,
}

impl Default for Extras {
    /// Nothing, and a minute: far beyond what the product promises, and within what a busy machine needs.
    fn default() -> Self {
        Self { nemesis_command: None, sabotage: None, recovery: Duration::from_secs(60) }
    }
}

/// Does it all, and leaves plan, histories, summary and report in a directory; logs, too, of a run that is not valid.
///
/// # Errors
/// When the run cannot even begin. What goes wrong later is part of its verdict.
pub async fn run(plan: &Plan, place: Place, extras: Extras, out: &Path) -> anyhow::Result<Summary> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let save = |name: &str, text: String| {
        std::fs::write(out.join(name), text)
            .with_context(|| format!("cannot write {name} into {}", out.display()))
    };
    save("plan.json", serde_json::to_string_pretty(plan)?)?;
    let (mut stage, target) = match place {
        Place::Own => {
            println!(
                "booting {} controllers, {} servers, {} handlers",
                plan.controllers, plan.servers, plan.handlers
            );
            let stage = boot::boot(plan, extras.sabotage.as_deref()).await?;
            let target = stage.target.clone();
            (Some(stage), target)
        }
        Place::Attached(target) => (None, target),
    };
    workload::wait_for_console(&target).await?;

    let began = Instant::now();
    let (stop, stopped) = channel(false);
    let mut random = Random::new(plan.seed ^ 0x006a_6570_7365_6e00);
    let run = format!("{:08x}", rand::random::<u32>());
    let (mut works, mut left_out) = (Vec::new(), Vec::new());
    for work in &plan.workloads {
        match workload::begin(work, &target, &run, began, &mut random, &stopped).await? {
            Some(running) => works.push(running),
            None => left_out.push(format!("{}: the cluster's description names no controllers", work.name)),
        }
    }
    let of = |fits: fn(&str) -> bool| -> Vec<String> {
        works.iter().filter(|work| fits(&work.name)).flat_map(|work| work.databases.clone()).collect()
    };
    let (databases, moved) = (of(|name| name != "names"), of(|name| name == "moves"));
    if let Some(stage) = &mut stage {
        stage.databases.clone_from(&databases);
        stage.unmoved = of(|name| !["names", "moves"].contains(&name));
    }
    let stage = stage.map(Arc::new);
    // Making the databases took a while; faults count from here.
    let offset = began.elapsed();
    println!("{} workloads for {} s, {} faults", works.len(), plan.seconds, plan.steps.len());

    let watching =
        tokio::spawn(watch::watch(stage.clone(), target.clone(), databases.clone(), began, stopped));
    let end = tokio::time::Instant::now() + Duration::from_secs(plan.seconds);
    let hand = match (&extras.nemesis_command, stage.as_deref()) {
        (Some(command), _) => {
            Some(Hand::Foreign(Box::new(Foreign::start(command, ANSWER_TIMEOUT)?), target.clone()))
        }
        (None, Some(stage)) => Some(Hand::Ours(stage)),
        (None, None) => None,
    };
    let records = works.iter().map(|work| work.record.clone()).collect();
    let (faults, mut troubles) = afflict(plan, hand, records, began, offset).await;
    sleep_until(end).await;
    stop.send_replace(true);

    for work in &mut works {
        troubles.extend(work.stopped().await.err().map(|error| format!("{error:#}")));
    }
    if let Some(stage) = stage.as_deref() {
        let mended = caught(async { stage.mend() }).await;
        troubles.extend(mended.err().map(|error| format!("after the last fault: {error:#}")));
    }
    let mut recovered = recovery::recover(stage.as_deref(), &target, &databases, extras.recovery).await;
    if !troubles.is_empty() {
        recovered = recovered.doubted();
    }
    let seen = watching.await.context("the watcher panicked")?;
    let mut unread = Vec::new();
    for work in &works {
        unread.extend(work.read_all().await);
    }
    println!("judging");
    let mut summary = Summary::new(plan, began, offset, seen);
    summary.left_out = left_out;
    let mut findings = vec![
        Judged::new("harness", Finding::of("faults and clients".into(), Vec::new()).without(troubles)),
        Judged::new("last look", Finding::of("everything, once more".into(), Vec::new()).without(unread)),
    ];
    for work in works {
        let history = work.record.taken();
        save(&format!("history-{}.edn", work.name), history.to_edn())?;
        findings.push(Judged::new(&work.name, check(&work.name, &history)?));
        summary.outages.extend(outages(&work.planned, &history, &faults, offset));
        summary.plots.push(summary::plot(&work.name, &history));
        summary.answered.push((work.name.clone(), summary::answered(&history)));
    }
    findings.push(Judged::new("recovery", recovered));
    if let Some(stage) = &stage {
        findings.push(Judged::new("crashes", recovery::crashes(stage)));
    }
    findings
        .push(Judged::new("coverage", coverage::check(&faults, &summary.answered, &summary.seen, &moved)));
    summary.faults = faults;
    summary.conclude(findings);
    if let Some(stage) = &stage
        && summary.verdict != "valid"
    {
        let logs = out.join("logs");
        std::fs::create_dir_all(&logs)?;
        for process in stage.cluster.processes() {
            std::fs::write(logs.join(format!("{}.log", process.name())), process.log().text())?;
        }
    }
    save("summary.json", serde_json::to_string_pretty(&summary)?)?;
    crate::report::write(&summary, &out.join("report.html"))?;
    Ok(summary)
}
