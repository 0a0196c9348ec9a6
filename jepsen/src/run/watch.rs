//! What the fleet looks like from outside while it is under faults: for the report, and to know what was exercised.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::{sync::watch::Receiver, time::sleep};

use crate::{Target, nemesis::Stage};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// What was seen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Seen {
    /// Terms in which somebody led.
    pub terms: BTreeSet<u64>,
    /// Of each database, milliseconds since the beginning, epoch, and owner; where that changed.
    pub owners: BTreeMap<String, Vec<(u64, u64, String)>>,
    /// Milliseconds since the beginning and leader; where that changed.
    pub leaders: Vec<(u64, String)>,
}

impl Seen {
    /// How often databases got another owner; those that clients move do not count.
    pub fn reassignments(&self, moved: &[String]) -> usize {
        let owners = self.owners.iter().filter(|(database, _)| !moved.contains(database));
        owners.map(|(_, seen)| seen.windows(2).filter(|pair| pair[0].1 < pair[1].1).count()).sum()
    }
}

/// Looks until told to stop.
pub async fn watch(
    stage: Option<Arc<Stage>>,
    target: Target,
    databases: Vec<String>,
    began: Instant,
    stop: Receiver<bool>,
) -> Seen {
    let mut seen = Seen::default();
    let now_ms = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    while !*stop.borrow() {
        if let Some(stage) = &stage
            && let Some((index, term)) = stage.leader().await
        {
            seen.terms.insert(term);
            let name = stage.cluster.controllers[index].name().to_owned();
            if seen.leaders.last().is_none_or(|(_, last)| *last != name) {
                seen.leaders.push((now_ms(), name));
            }
        }
        if target.fleet.is_some() {
            for database in &databases {
                let Ok(info) = target.look_up(database).await else { continue };
                let owner = info.owner.map_or_else(|| "nobody".to_owned(), |owner| owner.server.to_string());
                let known = seen.owners.entry(database.clone()).or_default();
                if known.last().is_none_or(|(_, epoch, last)| *epoch != info.epoch.0 || *last != owner) {
                    known.push((now_ms(), info.epoch.0, owner));
                }
            }
        }
        sleep(PAUSE).await;
    }
    seen
}
