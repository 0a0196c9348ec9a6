//! One run of a seed: the fleet comes up, clients work while faults come and go, then all faults end and the fleet has to
//! serve again, agree, and hold what it acknowledged.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use history::{Finding, Kind, Verdict};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    chance, clients,
    invariant::Records,
    plan::{FAULTS_MS, Plan},
    time, trace,
    world::{CLIENTS, World},
};

/// How many servers there are.
pub const SERVERS: u64 = 3;
/// How long a fleet may take to come up, and to recover, by the true clock.
const BOOT_MS: u64 = 60_000;
const RECOVERY_MS: u64 = 60_000;
/// Answers below which a run says nothing.
const ANSWERS_MIN: usize = 100;

/// What a run came to.
pub struct Outcome {
    /// Each invariant, and what is to be said of it.
    pub findings: Vec<(&'static str, Finding)>,
    /// In one line, how it went.
    pub went: String,
    /// How much was noted, and the digest of it.
    pub trace: (u64, u64),
}

impl Outcome {
    /// The worst verdict.
    pub fn verdict(&self) -> Verdict {
        self.findings.iter().map(|(_, finding)| finding.verdict).max().unwrap_or(Verdict::Unknown)
    }
}

/// Panics of whatever ran.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs a seed. Once in a process: so much of Rust's libraries is process-wide that a second run would differ.
///
/// # Errors
/// When there is no directory for working copies, or no thread.
pub fn run(seed: u64, shown: bool) -> anyhow::Result<Outcome> {
    let dir = tempfile::tempdir()?;
    chance::seed(seed);
    trace::begin(shown);
    std::panic::set_hook(Box::new(|info| {
        PANICS.lock().unwrap_or_else(PoisonError::into_inner).push(info.to_string());
    }));
    // A thread that has seen no chance yet but the seed's.
    let path = dir.path().to_path_buf();
    let simulation = std::thread::Builder::new().name("simulation".into()).stack_size(64 << 20);
    let ended = simulation.spawn(move || simulate(seed, &path))?.join();
    drop(std::panic::take_hook());
    ended.map_err(|_| {
        let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        anyhow::anyhow!("the simulation itself failed: {}", panics.join("; "))
    })
}

fn simulate(seed: u64, dir: &std::path::Path) -> Outcome {
    let (plan, records) = (Plan::of(seed), Records::empty());
    let mut world = World::boot(seed, &plan, dir, &records);
    let recovery = play(seed, &plan, &mut world, &records);
    let mut findings = records.judge();
    findings.push(("recovery", recovery));
    let panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    findings.push(("panics", Finding::of(format!("{} panics", panics.len()), panics)));
    findings.push(("coverage", coverage(&records)));
    let messages = world.messages();
    let went = format!(
        "{} s, {} faults, {} lost writes of disks, {} commits without an answer, {} requests and {} answers lost, \
         {} requests doubled ({} worked on twice), {} processes ended by themselves",
        time::now() / 1_000,
        plan.steps.len(),
        world.losses(),
        world.unanswered(),
        messages.requests_lost,
        messages.answers_lost,
        messages.requests_doubled,
        messages.worked_twice,
        world.ended.len()
    );
    Outcome { findings, went, trace: trace::digest() }
}

/// All phases; whether the fleet recovered.
fn play(seed: u64, plan: &Plan, world: &mut World, records: &Records) -> Finding {
    let at = world.net.at(&CLIENTS.into());
    let preparing = world.clients().spawn(clients::prepare(at.clone()));
    if !until(world, &preparing, BOOT_MS) {
        return Finding::of("the fleet's start".into(), vec![format!("not up after {BOOT_MS} ms")]);
    }
    let ids = world.clients().result(preparing);
    let (stop, stopped) = watch::channel(false);
    let working = world.clients().spawn(clients::work(at.clone(), seed, records.clone(), ids, stopped));
    let begin = time::now();
    let mut steps = plan.steps.iter().peekable();
    while time::now() < begin + FAULTS_MS {
        world.end_due();
        while let Some(step) = steps.next_if(|step| begin + step.from_ms <= time::now()) {
            world.begin(step, begin);
        }
        world.step();
    }
    world.heal();
    let healed = time::now();
    let recovery = loop {
        let asking = world.clients().spawn(clients::recovered(at.clone()));
        let answered = until(world, &asking, RECOVERY_MS);
        let took = Duration::from_millis(time::now() - healed);
        let what = match answered.then(|| world.clients().result(asking)) {
            Some(Ok(())) => break Finding::of(format!("well after {took:?}"), Vec::new()),
            Some(Err(what)) => what,
            None => "no answer at all".into(),
        };
        // Clients work on while the fleet recovers, and a little longer; then maps can be equal.
        stop.send_replace(true);
        if took > Duration::from_millis(RECOVERY_MS) {
            break Finding::of(format!("{took:?} after the last fault"), vec![what]);
        }
    };
    stop.send_replace(true);
    until(world, &working, RECOVERY_MS);
    let reading = world.clients().spawn(clients::read_all(at, records.clone()));
    until(world, &reading, RECOVERY_MS);
    recovery
}

/// Lets time pass until a task of the clients has ended; false when that takes longer.
fn until<T>(world: &mut World, task: &JoinHandle<T>, limit_ms: u64) -> bool {
    let end = time::now() + limit_ms;
    while !task.is_finished() && time::now() < end {
        world.step();
    }
    task.is_finished()
}

/// A run in which little was answered is no success.
fn coverage(records: &Records) -> Finding {
    let count = |history: history::History| {
        history.operations(&[]).iter().filter(|operation| operation.kind() == Kind::Ok).count()
    };
    let (answers, look_ups) = (count(records.answers.taken()), count(records.look_ups.taken()));
    let looked_at = format!("{answers} requests and {look_ups} look-ups answered");
    match answers.min(look_ups) < ANSWERS_MIN {
        true => Finding::unknown(looked_at, "too few to say anything".into()),
        false => Finding::of(looked_at, Vec::new()),
    }
}
