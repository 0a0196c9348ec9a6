//! A run: a cluster, clients, faults, recovery, verdicts.

mod boot;
mod coverage;
mod recovery;
mod summary;
mod watch;

use std::{
    panic::AssertUnwindSafe,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures::FutureExt;
use history::{Finding, Verdict};
use tokio::{
    sync::watch::channel,
    time::{sleep, sleep_until},
};

use crate::{
    Plan, Step, Target,
    nemesis::{Fault, Foreign, Made, Stage, fault},
    random::Random,
    record::Installed,
    workload::{self, check},
};
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
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// A program that makes the faults instead of us.
    pub nemesis_command: Option<String>,
    /// A bug to be planted into every process.
    pub sabotage: Option<String>,
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
    let databases: Vec<String> =
        works.iter().filter(|work| work.name != "names").flat_map(|work| work.databases.clone()).collect();
    if let Some(stage) = &mut stage {
        stage.databases.clone_from(&databases);
    }
    let stage = stage.map(Arc::new);
    // Making the databases took a while; faults count from here.
    let offset = began.elapsed();
    println!("{} workloads for {} s, {} faults", works.len(), plan.seconds, plan.steps.len());

    let watching =
        tokio::spawn(watch::watch(stage.clone(), target.clone(), databases.clone(), began, stopped));
    let end = tokio::time::Instant::now() + Duration::from_secs(plan.seconds);
    let hand = match (&extras.nemesis_command, stage.as_deref()) {
        (Some(command), _) => Some(Hand::Foreign(Foreign::start(command)?, target.clone())),
        (None, Some(stage)) => Some(Hand::Ours(stage)),
        (None, None) => None,
    };
    let records = works.iter().map(|work| work.record.clone()).collect();
    // The harness of the tests panics when a process does not do as it is told.
    let afflicted = AssertUnwindSafe(afflict(plan, hand, records, began, offset)).catch_unwind().await;
    sleep_until(end).await;
    stop.send_replace(true);

    let mut findings = Vec::new();
    let mut faults = Vec::new();
    match afflicted {
        Ok((made, troubles)) => {
            faults = made;
            if !troubles.is_empty() {
                let mut finding = Finding::of("faults".into(), troubles);
                finding.verdict = Verdict::Unknown;
                findings.push(Judged::new("harness", finding));
            }
        }
        Err(_) => {
            let why = "a fault could not be made or taken back; what was said above tells why".to_owned();
            findings.push(Judged::new("harness", Finding::unknown("faults".into(), why)));
        }
    }
    for work in &mut works {
        if let Err(error) = work.stopped().await {
            findings.push(Judged::new("harness", Finding::unknown("clients".into(), format!("{error:#}"))));
        }
    }
    let recovered = recovery::recover(stage.as_deref(), &target, &databases).await;
    let seen = watching.await.context("the watcher panicked")?;
    for work in &works {
        work.read_all().await;
    }
    println!("judging");
    let mut summary = Summary::new(plan, began, offset, seen);
    summary.left_out = left_out;
    for work in works {
        let history = work.record.taken();
        save(&format!("history-{}.edn", work.name), history.to_edn())?;
        findings.push(Judged::new(&work.name, check(&work.name, &history)?));
        summary.outages.extend(outages(&work.name, &history, &faults, offset));
        summary.plots.push(summary::plot(&work.name, &history));
        summary.answered.push((work.name.clone(), summary::answered(&history)));
    }
    findings.push(Judged::new("recovery", recovered));
    if let Some(stage) = &stage {
        findings.push(Judged::new("crashes", recovery::crashes(stage)));
    }
    findings.push(Judged::new("coverage", coverage::check(&faults, &summary)));
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

/// Who makes the faults.
enum Hand<'a> {
    Ours(&'a Stage),
    Foreign(Foreign, Target),
}

/// A fault that was begun.
enum Begun {
    Ours(Box<dyn Fault>),
    Foreign,
}

impl Hand<'_> {
    /// Starts a fault; one whose victim cannot be told at this moment is tried again for a while.
    async fn start(&mut self, step: &Step) -> (Begun, anyhow::Result<Made>) {
        let stage = match self {
            Self::Foreign(foreign, target) => return (Begun::Foreign, foreign.ask("start", step, target)),
            Self::Ours(stage) => stage,
        };
        let mut fault = match fault(step) {
            Ok(fault) => fault,
            Err(error) => return (Begun::Foreign, Err(error)),
        };
        for _ in 0..20 {
            match stage.victims(step).await {
                Ok(_) => break,
                Err(_) => sleep(Duration::from_millis(300)).await,
            }
        }
        let made = fault.start(stage, step).await;
        (Begun::Ours(fault), made)
    }

    async fn stop(&mut self, begun: Begun, step: &Step) -> anyhow::Result<()> {
        match (self, begun) {
            (Self::Ours(stage), Begun::Ours(mut fault)) => fault.stop(stage).await,
            (Self::Foreign(foreign, target), Begun::Foreign) => foreign.ask("stop", step, target).map(drop),
            (Self::Ours(_), Begun::Foreign) | (Self::Foreign(..), Begun::Ours(_)) => Ok(()),
        }
    }
}

/// Makes the faults of a plan, one after the other; what was made, and what went wrong with that.
async fn afflict(
    plan: &Plan,
    hand: Option<Hand<'_>>,
    records: Vec<Arc<crate::Record>>,
    began: Instant,
    offset: Duration,
) -> (Vec<Installed>, Vec<String>) {
    let (mut made, mut troubles) = (Vec::new(), Vec::new());
    let Some(mut hand) = hand else { return (made, troubles) };
    let say = |f: &str, what: &str| records.iter().for_each(|record| record.nemesis(f, what));
    let now_ms = || u64::try_from(began.elapsed().saturating_sub(offset).as_millis()).unwrap_or(u64::MAX);
    for step in &plan.steps {
        sleep(Duration::from_millis(step.at_ms.saturating_sub(now_ms()))).await;
        let name = format!("{}:{}", step.fault, step.target);
        let from_ms = now_ms();
        let (begun, started) = hand.start(step).await;
        let (what, there) = match started {
            Ok(Made::Installed(what)) => (what, true),
            Ok(Made::Skipped(why)) => (why, false),
            Err(error) => {
                troubles.push(format!("{name} at {from_ms} ms: {error:#}"));
                (format!("indeterminate: {error:#}"), true)
            }
        };
        println!("{:>6.1} s  {name}: {}{what}", from_ms as f64 / 1e3, if there { "" } else { "skipped: " });
        say(&format!("start-{}", step.fault), &what);
        if there {
            sleep(Duration::from_millis((step.at_ms + step.for_ms).saturating_sub(now_ms()))).await;
        }
        if let Err(error) = hand.stop(begun, step).await {
            troubles.push(format!("end of {name} at {} ms: {error:#}", now_ms()));
        }
        say(&format!("stop-{}", step.fault), &what);
        made.push(Installed { fault: name, what, made: there, from_ms, to_ms: now_ms() });
    }
    (made, troubles)
}
