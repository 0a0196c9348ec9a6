//! The faults of a plan, one after the other.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use futures::FutureExt;
use tokio::time::sleep;

use crate::{
    Plan, Record, Step, Target,
    nemesis::{Fault, Foreign, Made, Stage, fault},
    record::Installed,
};

/// Who makes the faults.
pub enum Hand<'a> {
    Ours(&'a Stage),
    Foreign(Box<Foreign>, Target),
}

impl Hand<'_> {
    /// Starts a fault; with it, where it is one of ours.
    async fn start(&mut self, step: &Step) -> (Option<Box<dyn Fault>>, anyhow::Result<Made>) {
        let stage = match self {
            Self::Foreign(foreign, target) => return (None, foreign.ask("start", step, target).await),
            Self::Ours(stage) => stage,
        };
        if ["owner", "stale"].contains(&&*step.target) && stage.databases.is_empty() {
            return (None, Ok(Made::Skipped("no workload has databases that somebody could own".into())));
        }
        if let Some(why) = stage.lacks(&step.fault) {
            return (None, Ok(Made::Skipped(why)));
        }
        match fault(step) {
            Ok(mut fault) => {
                let made = caught(fault.start(stage, step)).await;
                (Some(fault), made)
            }
            Err(error) => (None, Err(error)),
        }
    }

    async fn stop(&mut self, begun: Option<Box<dyn Fault>>, step: &Step) -> anyhow::Result<()> {
        match (self, begun) {
            (Self::Ours(stage), Some(mut fault)) => caught(fault.stop(stage)).await,
            (Self::Foreign(foreign, target), _) => foreign.ask("stop", step, target).await.map(drop),
            (Self::Ours(_), None) => Ok(()),
        }
    }
}

/// What came of it; a panic is an error. The harness of the tests panics when a process does not do as it is told.
pub async fn caught<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let said = |panic: Box<dyn Any + Send>| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or("it panicked").to_owned(),
    };
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(anyhow!("{}", said(panic))))
}

/// Makes the faults of a plan; what was made, and what went wrong with that. One that goes wrong does not keep those after
/// it from being made.
pub async fn afflict(
    plan: &Plan,
    hand: Option<Hand<'_>>,
    records: Vec<Arc<Record>>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_the_harness_is_an_error_like_any_other_c21() {
        assert_eq!(caught(async { Ok(7) }).await.expect("well"), 7);
        let error = caught::<()>(async { panic!("server-1 does not stop") }).await.expect_err("it panicked");
        assert_eq!(error.to_string(), "server-1 does not stop");
        let name = "server-2";
        let error = caught::<()>(async { panic!("{name} runs already") }).await.expect_err("it panicked");
        assert_eq!(error.to_string(), "server-2 runs already");
    }
}
