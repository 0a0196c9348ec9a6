//! Three controllers with a large map, from start to end.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::ensure;
use futures::FutureExt as _;
use rpc::{
    Controllers, Service, TcpDial,
    controller::{ControllerApiClient, ControllerStatus},
    handshake::Role,
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    load::{Latencies, Load},
    maps,
    process::{self, Controller},
    servers::{self, Seen, Servers},
};

/// How long heartbeats are watched alone, and writes beside them.
const WATCHED: Duration = Duration::from_secs(10);
/// How often a controller that starts is asked.
const PAUSE: Duration = Duration::from_millis(10);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Puts a map into these data directories; the first is the first controller's.
pub fn seed(databases: u64, dirs: &[&str]) -> anyhow::Result<()> {
    let mut fleet = maps::with_servers()?;
    maps::create(&mut fleet, databases)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for (id, dir) in (1..).zip(dirs) {
        runtime.block_on(controller::seed(&process::settings(id, PathBuf::from(dir)), fleet.clone()))?;
    }
    Ok(())
}

/// Measures and prints.
pub async fn measure(databases: u64, changes: u64) -> anyhow::Result<()> {
    process::raise_files()?;
    let folder = tempfile::tempdir()?;
    let dir = |id: u64| folder.path().join(format!("controller-{id}"));
    let (first, second, late) = (dir(1), dir(2), dir(3));
    process::of_ours(&[
        "seed",
        &databases.to_string(),
        &first.display().to_string(),
        &second.display().to_string(),
    ])?;
    println!("three controllers, {databases} databases, {} servers, {changes} changes", servers::COUNT);

    let servers = Servers::start().await?;
    let mut running = vec![Controller::start(1, &first)?, Controller::start(2, &second)?];
    let leader = leader(&[1, 2]).await?;
    let follower = 3 - leader;
    heartbeats(&servers, &running[leader as usize - 1]).await?;
    writes(databases, changes, &running, &servers, &dir(leader)).await?;

    // A controller that was never there before.
    let load = Load::start(databases);
    let began = Instant::now();
    running.push(Controller::start(3, &late)?);
    caught_up(3, leader).await?;
    let took = began.elapsed();
    votes(3, leader).await?;
    println!("  late joiner         {:.1} s until it has all, while others write", took.as_secs_f64());
    println!("  writes meanwhile    {}", load.stop().await?);

    // A follower that is killed while it has a log behind its snapshot.
    let load = Load::start(databases);
    let (killed, kept) = (follower as usize - 1, status(follower).await?);
    running.remove(killed).kill()?;
    let began = Instant::now();
    running.insert(killed, Controller::start(follower, &dir(follower))?);
    until(follower, |status| status.revision >= kept.revision).await?;
    let serves = began.elapsed();
    caught_up(follower, leader).await?;
    println!(
        "  restart             {:.2} s until it serves all it had ({} entries behind its snapshot), {:.2} s until it has all (goal 5 s)",
        serves.as_secs_f64(),
        kept.log_last - kept.snapshot_last,
        began.elapsed().as_secs_f64()
    );
    println!("  writes meanwhile    {}", load.stop().await?);
    for (id, controller) in (1..).zip(&running) {
        let memory = controller.memory()?;
        println!(
            "  controller {id}        {} MiB resident, {} MiB at most",
            memory.now >> 20,
            memory.most >> 20
        );
    }
    agree().await
}

/// What a thousand servers cost the leader while nothing else happens.
async fn heartbeats(servers: &Servers, leader: &Controller) -> anyhow::Result<()> {
    // Everybody has found the leader, and it has asked everybody.
    sleep(Duration::from_secs(5)).await;
    drop(servers.seen());
    let before = leader.worked()?;
    sleep(WATCHED).await;
    let share = (leader.worked()? - before).as_secs_f64() / WATCHED.as_secs_f64() * 100.0;
    let Seen { took, failed } = servers.seen();
    println!(
        "  heartbeats          {} in {WATCHED:?}, {failed} failed, {share:.0} % of a processor, {took}",
        took.len()
    );
    Ok(())
}

/// Writes until so many changes are made, and what snapshots did to them.
async fn writes(
    databases: u64,
    changes: u64,
    running: &[Controller],
    servers: &Servers,
    dir: &Path,
) -> anyhow::Result<()> {
    let snapshots = || running.iter().map(Controller::snapshots).collect::<anyhow::Result<Vec<_>>>();
    let known = snapshots()?;
    let (load, began) = (Load::start(databases), Instant::now());
    let mut sizes = Vec::new();
    for quarter in 1..=4 {
        while load.done() < changes * quarter / 4 {
            sleep(PAUSE).await;
        }
        sizes.push(process::size(&dir.join("log"))? >> 20);
    }
    let took = began.elapsed().as_secs_f64();
    let all = load.stop().await?;
    let fresh = snapshots()?.into_iter().zip(known).map(|(mut all, known)| all.split_off(known.len()));
    let made: Vec<_> = fresh.flatten().collect();
    let longest = made.iter().map(|(from, to)| *to - *from).max().unwrap_or_default();
    let (during, otherwise) = all.split(&made);
    let share = |part: &Latencies| part.len() * 100 / all.len().max(1);
    println!("  writes              {} in {took:.1} s, {:.0}/s", all.len(), all.len() as f64 / took);
    println!(
        "  snapshots           {} on {} controllers, the longest took {:.2} s",
        made.len(),
        running.len(),
        longest.as_secs_f64()
    );
    println!(
        "  during them         {during}, {} % of the writes (goal: none stalls for 20 ms)",
        share(&during)
    );
    println!("  otherwise           {otherwise}");
    println!(
        "  log on disk         {sizes:?} MiB after each quarter, snapshot {} MiB",
        std::fs::metadata(dir.join("snapshot"))?.len() >> 20
    );
    let Seen { took, failed } = servers.seen();
    println!("  heartbeats beside   {} , {failed} failed, {took}", took.len());
    Ok(())
}

/// Waits until one of them leads; which.
async fn leader(ids: &[u64]) -> anyhow::Result<u64> {
    let began = Instant::now();
    loop {
        for id in ids {
            if let Ok(status) = status(*id).await
                && status.state == "leader"
            {
                println!(
                    "  first start         {:.2} s until there is a leader",
                    began.elapsed().as_secs_f64()
                );
                return Ok(*id);
            }
        }
        sleep(PAUSE).await;
    }
}

/// Waits until it has everything that the leader has by now.
async fn caught_up(id: u64, leader: u64) -> anyhow::Result<()> {
    let target = status(leader).await?.revision;
    until(id, |status| status.revision >= target).await?;
    Ok(())
}

/// Waits until it votes: until then nobody else may be missing.
async fn votes(id: u64, leader: u64) -> anyhow::Result<()> {
    loop {
        let one = one(leader);
        let call = |client: ControllerApiClient, context| async move { client.controllers(context).await };
        let list = one.any(move |client, context| call(client, context).boxed()).await?;
        if list.iter().any(|info| info.controller.0 == id && info.voter) {
            return Ok(());
        }
        sleep(PAUSE).await;
    }
}

async fn until(id: u64, done: impl Fn(&ControllerStatus) -> bool) -> anyhow::Result<ControllerStatus> {
    loop {
        match status(id).await {
            Ok(status) if done(&status) => return Ok(status),
            Ok(_) | Err(_) => sleep(PAUSE).await,
        }
    }
}

fn one(id: u64) -> Controllers {
    Controllers::new(vec![process::address(id)], Arc::new(TcpDial), process::secret(), Role::Operator)
}

/// Asked once, over a connection of its own: whoever asks again at its leisure measures its leisure.
async fn status(id: u64) -> anyhow::Result<ControllerStatus> {
    let (address, secret) = (process::address(id), process::secret());
    let transport = rpc::connect(&TcpDial, &address, &secret, Service::Controller, Role::Operator).await?;
    let client = ControllerApiClient::new(rpc::tarpc::client::Config::default(), transport).spawn();
    Ok(timeout(ANSWER, client.status(rpc::context())).await??)
}

/// All have the same map.
async fn agree() -> anyhow::Result<()> {
    sleep(Duration::from_secs(1)).await;
    let mut digests = Vec::new();
    for id in 1..=process::CONTROLLERS {
        let one = one(id);
        let digest = one.any(|client, context| async move { client.digest(context).await }.boxed()).await?;
        digests.push(digest);
    }
    ensure!(digests.iter().all(|digest| digest.value == digests[0].value), "they differ: {digests:?}");
    println!("  digests             equal on all three");
    Ok(())
}
