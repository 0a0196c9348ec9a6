//! `stationmaster status`: the whole fleet at a glance.

use std::process::ExitCode;

use rpc::controller::{BrakeEngaged, ControllerStatus};
use serde_json::json;

use super::{Reach, cluster::Each, controllers, handlers, listing::print, members, servers};

/// A leader whose majority was silent for longer, in milliseconds, leads nobody.
const QUORUM_MS_MAX: u64 = 2000;

/// Prints it. Fails when no controller leads: then nothing can be changed.
pub async fn run(reach: &Reach) -> anyhow::Result<ExitCode> {
    let cluster = reach.cluster()?;
    let controllers = cluster.freshest().await?;
    let statuses = cluster.statuses().await;
    let leader = statuses.iter().filter_map(|each| each.answer.as_ref().ok()).find(|status| leads(status));
    let best = leader.or_else(|| newest(&statuses));
    let fleet = best.and_then(|status| status.fleet).map(|fleet| fleet.to_string());
    let databases = best.map(|status| status.databases);
    let (listed, servers, handlers) = (
        controllers::listing(&statuses, &members::list(&cluster).await?),
        servers::listing(&controllers).await?,
        handlers::listing(&controllers).await?,
    );
    print(
        reach.json,
        || {
            json!({
                "fleet": fleet,
                "leader": leader.map(|status| status.controller.0),
                "databases": databases,
                "brake": leader.and_then(|status| status.brake).map(|brake| json!({
                    "silent": brake.silent,
                    "of": brake.of,
                    "ms_ago": brake.ms_ago,
                })),
                "controllers": listed.json(),
                "servers": servers.json(),
                "handlers": handlers.json(),
            })
        },
        || {
            let headline = headline(fleet.as_deref(), leader, databases);
            format!(
                "{headline}\n\nControllers\n{}\nServers\n{}\nHandlers\n{}",
                listed.table(),
                servers.table(),
                handlers.table()
            )
        },
    )?;
    Ok(if leader.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether it leads, and a majority has said so lately.
fn leads(status: &ControllerStatus) -> bool {
    let confirmed = status.quorum_confirmed_ms_ago.is_some_and(|ago| ago <= QUORUM_MS_MAX);
    status.leader == Some(status.controller) && confirmed
}

fn newest(statuses: &[Each<ControllerStatus>]) -> Option<&ControllerStatus> {
    statuses.iter().filter_map(|each| each.answer.as_ref().ok()).max_by_key(|status| status.revision)
}

fn headline(fleet: Option<&str>, leader: Option<&ControllerStatus>, databases: Option<u64>) -> String {
    let fleet = fleet.unwrap_or("(not founded yet)");
    let brake = leader.and_then(|status| status.brake).map_or_else(String::new, |BrakeEngaged { silent, of, .. }| {
        format!(
            "\nBRAKE ENGAGED: {silent} of {of} servers are silent; none is declared dead for that\n  \
             try: the network between controllers and servers; `stationmaster servers release-brake` if they are \
             really gone"
        )
    });
    let leader = match leader {
        Some(leader) => {
            format!(
                "controller {} leads (term {}, revision {})",
                leader.controller, leader.term, leader.revision
            )
        }
        None => "no controller leads: nothing can be changed until a majority of them is up".into(),
    };
    let databases = match databases {
        Some(1) => ", 1 database".into(),
        Some(count) => format!(", {count} databases"),
        None => String::new(),
    };
    format!("fleet {fleet}{databases}\n{leader}{brake}")
}
