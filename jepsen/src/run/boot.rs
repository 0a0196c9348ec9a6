//! A cluster of our own: real processes on this machine.

use std::{collections::BTreeMap, net::Ipv4Addr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use futures::FutureExt;
use tests::{Cluster, Host, PASSWORD, USER};

use crate::{
    Plan, Target,
    nemesis::{Clocks, Disks, Network, ON_CLOCKS, ON_DISKS, ON_NETWORKS, Stage},
};

/// Starts it, and waits until all of it can do its work.
///
/// # Errors
/// When something does not come up.
pub async fn boot(plan: &Plan, sabotage: Option<&str>) -> anyhow::Result<Stage> {
    let wants = |faults: &[&str]| plan.steps.iter().any(|step| faults.contains(&&*step.fault));
    let spare = wants(&["members"]);
    let numbered = |role: &'static str, count: usize| (1..=count).map(move |at| format!("{role}-{at}"));
    let controllers: Vec<String> = numbered("controller", plan.controllers).collect();
    let others = numbered("handler", plan.handlers).chain(numbered("server", plan.servers));
    let more = numbered("controller", plan.controllers + 1).skip(plan.controllers).take(usize::from(spare));
    let names: Vec<String> = controllers.iter().cloned().chain(others).chain(more).collect();
    let network = made(wants(ON_NETWORKS).then(|| Network::new(&names)));

    let mut builder =
        Cluster::builder().controllers(plan.controllers).handlers(plan.handlers).servers(plan.servers);
    let mut hosts: BTreeMap<&str, Host> = network.iter().flat_map(Network::hosts).collect();
    let clocks = made(wants(ON_CLOCKS).then(|| Clocks::new(&names)));
    if let Ok(clocks) = &clocks {
        for name in &names {
            let here = || Host { address: Ipv4Addr::LOCALHOST.into(), command: Vec::new() };
            hosts.entry(name).or_insert_with(here).command.extend(clocks.command(name));
        }
    }
    for (name, host) in hosts {
        builder = builder.host(name, host);
    }
    if let Some(sabotage) = sabotage {
        builder = builder.variable("STATIONMASTER_SABOTAGE", sabotage);
    }
    let mut cluster = builder.prepare().await;
    let folders: Vec<String> = controllers.into_iter().chain(["journal".to_owned()]).collect();
    let disks = made(wants(ON_DISKS).then(|| Disks::new(cluster.directory(), &folders)));

    // Building the program, where that is still to be done, is no part of starting it.
    tokio::task::spawn_blocking(tests::binary).await.context("the program under test cannot be built")?;
    // The harness of the tests panics when something does not come up.
    let booting = AssertUnwindSafe(cluster.boot()).catch_unwind();
    let booted =
        tokio::time::timeout(Duration::from_secs(180), booting).await.context("it takes more than 180 s")?;
    booted.map_err(|_| anyhow::anyhow!("the cluster does not come up; what was said above tells why"))?;
    if let Some(sabotage) = sabotage {
        let said = cluster.servers[0].log().text();
        ensure!(
            said.contains("THIS BUILD HAS THE FEATURE sabotage"),
            "{sabotage} cannot be planted into this build of stationmaster: build it with --features sabotage"
        );
    }
    let handlers = (0..cluster.handlers.len()).map(|at| cluster.handler_address(at)).collect();
    let founders = (0..plan.controllers).map(|at| cluster.controller_address(at).to_string()).collect();
    let spare = spare.then(|| cluster.join_controller());
    let target = Target {
        handlers,
        user: USER.into(),
        password: PASSWORD.into(),
        fleet: Some((founders, cluster.secret().clone())),
    };
    let (cluster, databases, unmoved) = (Arc::new(cluster), Vec::new(), Vec::new());
    Ok(Stage { cluster, target, databases, unmoved, spare, network, disks, clocks })
}

/// What there is, or why not.
fn made<T>(asked: Option<anyhow::Result<T>>) -> Result<T, String> {
    asked.ok_or("the plan did not ask for it")?.map_err(|error| format!("{error:#}"))
}
