//! After the last fault everything must be well again: a leader, every database served through every handler, and one map.

use std::time::{Duration, Instant};

use history::Finding;
use tokio::time::{sleep, timeout};

use crate::{Target, nemesis::Stage};

/// Waits until all is well.
pub async fn recover(
    stage: Option<&Stage>,
    target: &Target,
    databases: &[String],
    deadline: Duration,
) -> Finding {
    let began = Instant::now();
    let mut last = String::new();
    while began.elapsed() < deadline {
        match well(stage, target, databases).await {
            Ok(()) => {
                let looked_at = format!(
                    "{} databases through {} handlers, all well after {:.1} s",
                    databases.len(),
                    target.handlers.len(),
                    began.elapsed().as_secs_f64()
                );
                return Finding::of(looked_at, Vec::new());
            }
            Err(why) => last = why,
        }
        sleep(Duration::from_millis(250)).await;
    }
    Finding::of(format!("not well {} s after the last fault", deadline.as_secs()), vec![last])
}

async fn well(stage: Option<&Stage>, target: &Target, databases: &[String]) -> Result<(), String> {
    for database in databases {
        for handler in 0..target.handlers.len() {
            let session =
                target.connect(handler, database).await.map_err(|why| format!("{database}: {why}"))?;
            let asked = timeout(Duration::from_secs(10), session.one("SELECT 1")).await;
            let told = asked.map_err(|_| format!("{database}: no answer in 10 s"))?;
            told.map_err(|error| format!("{database}: {error}"))?;
        }
    }
    let Some(stage) = stage else { return Ok(()) };
    stage.leader().await.ok_or("nobody leads")?;
    let mut digests = Vec::new();
    for index in 0..stage.founders().len() {
        let digest = timeout(Duration::from_secs(5), stage.cluster.digest(index)).await;
        let digest = digest.map_err(|_| format!("controller-{} does not answer", index + 1))?;
        digests.push(digest.map_err(|error| format!("controller-{}: {error}", index + 1))?);
    }
    match digests.windows(2).all(|pair| pair[0] == pair[1]) {
        true => Ok(()),
        false => Err(format!("the maps differ: {digests:?}")),
    }
}

/// Whether a process has panicked: it says so in its log.
pub fn crashes(stage: &Stage) -> Finding {
    let panicked = stage.cluster.processes().flat_map(|process| {
        let log = process.log().text();
        let lines = log.lines().filter(|line| line.contains("panicked at"));
        lines.map(|line| format!("{}: {line}", process.name())).collect::<Vec<_>>()
    });
    Finding::of("logs of all processes".into(), panicked.collect())
}
