//! Clients: what they ask for, how they are told, and what that is taken for.
//!
//! A client does one thing at a time and repeats nothing. What surely had no effect is `:fail`; what may have had one is
//! `:info`, and the client goes on under another number then, as Jepsen's do.

mod append;
mod bank;
mod lane;
mod last;
mod moves;
mod names;
mod register;
mod set;
mod sql;

use std::{sync::Arc, time::Instant};

use anyhow::Context;
use history::{Finding, History};
use tokio::{sync::watch, task::JoinSet};

use crate::{Target, Work, random::Random, record::Record};
pub use lane::{EXPECTED, wait_for_console};
pub use last::FIRST as LAST_LOOKS;

/// All workloads.
pub const WORKLOADS: &[&str] = &["append", "register", "readers", "bank", "set", "names", "moves"];

/// Those that need controllers, too.
const ON_THE_MAP: &[&str] = &["names", "moves"];

/// The database, by its place, that a client works on under this number; those on the map work on all together.
pub fn database_of(work: &Work, process: i64) -> u64 {
    match ON_THE_MAP.contains(&&*work.name) {
        true => 0,
        false => process.unsigned_abs() % work.clients % work.databases,
    }
}

/// A workload that is under way.
pub struct Running {
    /// Its name.
    pub name: String,
    /// Of the plan.
    pub planned: Work,
    /// Its databases, by name.
    pub databases: Vec<String>,
    /// What happens.
    pub record: Arc<Record>,
    target: Target,
    clients: JoinSet<()>,
}

/// Begins one: makes its databases, and lets its clients work until told to stop. `None` when the cluster's description
/// lacks what it needs.
///
/// # Errors
/// When its databases cannot be made.
pub async fn begin(
    work: &Work,
    target: &Target,
    run: &str,
    began: Instant,
    random: &mut Random,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<Option<Running>> {
    if ON_THE_MAP.contains(&&*work.name) && target.fleet.is_none() {
        return Ok(None);
    }
    let databases: Vec<String> =
        (0..work.databases).map(|at| format!("chaos_{run}_{}_{at}", work.name)).collect();
    let schema: Vec<String> = match &*work.name {
        "append" => append::schema(),
        "register" | "readers" => register::schema(),
        "bank" => bank::schema(),
        "set" => set::schema(),
        _ => Vec::new(),
    };
    if work.name != "names" {
        for database in &databases {
            lane::make(target, database, &schema).await.with_context(|| format!("cannot make {database}"))?;
        }
    }
    let record = Arc::new(Record::new(began));
    let mut clients = JoinSet::new();
    let shared = Arc::new(lane::Shared::default());
    for number in 0..work.clients {
        let lane = lane::Lane {
            number,
            clients: work.clients,
            pause_us: 1_000_000 * work.clients / work.rate,
            target: target.clone(),
            databases: databases.clone(),
            record: record.clone(),
            random: random.split(),
            shared: shared.clone(),
            stop: stop.clone(),
        };
        match &*work.name {
            "append" => clients.spawn(lane.work(append::Client::default())),
            "register" => clients.spawn(lane.work(register::Client::default())),
            "readers" => clients.spawn(lane.work(register::Apart::default())),
            "bank" => clients.spawn(lane.work(bank::Client)),
            "set" => clients.spawn(lane.work(set::Client)),
            "names" => clients.spawn(lane.work(names::Client)),
            "moves" => clients.spawn(lane.work(moves::Client::default())),
            other => anyhow::bail!("there is no workload {other}"),
        };
    }
    let (name, planned, target) = (work.name.clone(), work.clone(), target.clone());
    Ok(Some(Running { name, planned, databases, record, target, clients }))
}

impl Running {
    /// Waits until its clients have stopped.
    ///
    /// # Errors
    /// When one of them panicked: then the harness failed.
    pub async fn stopped(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.clients.join_next().await {
            ended.with_context(|| format!("a client of {} panicked", self.name))?;
        }
        Ok(())
    }

    /// Reads everything once more, now that all is well. What could not be read, and why.
    pub async fn read_all(&self) -> Vec<String> {
        match &*self.name {
            "append" => append::read_all(&self.target, &self.databases, &self.record).await,
            "register" | "readers" => register::read_all(&self.target, &self.databases, &self.record).await,
            "bank" => bank::read_all(&self.target, &self.databases, &self.record).await,
            "set" => set::read_all(&self.target, &self.databases, &self.record).await,
            _ => Vec::new(),
        }
    }
}

/// Judges the history of a workload.
///
/// # Errors
/// When there is no such workload.
pub fn check(workload: &str, history: &History) -> anyhow::Result<Finding> {
    Ok(match workload {
        "append" => history::check_append(history),
        "register" | "readers" => history::check_register(history),
        "bank" => history::check_bank(history, bank::TOTAL),
        "set" => history::check_set(history),
        "names" => history::check_names(history),
        "moves" => history::check_epochs(history),
        other => anyhow::bail!("there is no workload {other}; there are: {}", WORKLOADS.join(" ")),
    })
}
