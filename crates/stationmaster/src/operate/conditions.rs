//! `stationmaster servers conditions`, `filter` and `reload-rules`: asks the servers themselves.

use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use futures::future::join_all;
use model::ServerState;
use rpc::{
    Service, TcpDial,
    controller::ServerInfo,
    environment::{BadWish, ConditionInfo, EnvironmentApiClient, Watching},
    handshake::Role,
};
use serde_json::json;
use tokio::time::timeout;

use super::{Cell, Cluster, Listing, Reach, listing::print, servers::all};
use crate::failure::Usage;

/// How long one server may take to answer.
const ONE_TIMEOUT: Duration = Duration::from_secs(3);

const KEYS: &[&str] = &["server", "condition", "database", "raised_ms", "by", "actions", "evidence"];

/// What is wrong with the servers, and what they do about it
#[derive(Args)]
pub struct Conditions {
    /// Only this server
    server: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

/// Show or change which events a server looks at, until it ends or its rules are read again
#[derive(Args)]
pub struct FilterFlags {
    /// Which server
    server: String,
    /// all, performance, failure, or sources with commas between them, like cpu_used_ratio,errors.*
    filter: Option<String>,
    #[command(flatten)]
    reach: Reach,
}

/// Have a server read its rules again
#[derive(Args)]
pub struct Reload {
    /// Which server
    server: String,
    #[command(flatten)]
    reach: Reach,
}

/// Shows what is raised. A server that does not answer is told on standard error, and fails the command.
pub async fn show(request: Conditions) -> anyhow::Result<()> {
    let Conditions { server, reach } = request;
    let cluster = reach.cluster()?;
    let asked = match server {
        Some(name) => vec![named(&cluster, &name).await?],
        None => {
            let servers = all(&cluster.freshest().await?).await?;
            servers.into_iter().filter(|info| info.state != ServerState::Down).collect()
        }
    };
    let answers = join_all(asked.iter().map(|info| ask(&cluster, info, Wish::Tell))).await;
    let mut listing = Listing::new(KEYS);
    let mut failed = Ok(());
    for (info, answer) in asked.iter().zip(answers) {
        match answer {
            Ok(watching) => watching.conditions.iter().for_each(|found| listing.push(row(info, found))),
            Err(error) => {
                eprintln!("{}: {error:#}", info.name);
                failed = Err(anyhow!("not every server answered"));
            }
        }
    }
    print(reach.json, || listing.json(), || listing.table())?;
    failed
}

fn row(info: &ServerInfo, found: &ConditionInfo) -> Vec<Cell> {
    let actions = found.actions.join(", ");
    let actions = if found.dry_run && !actions.is_empty() { format!("{actions} (dry run)") } else { actions };
    vec![
        Cell::text(&info.name),
        Cell::text(&found.condition),
        Cell::maybe(found.database),
        Cell::Number(found.raised_ms),
        Cell::text(if found.declared { "monitor" } else { "rule" }),
        Cell::maybe(Some(actions)),
        Cell::maybe(Some(&found.evidence)),
    ]
}

/// Shows or changes a filter.
pub async fn filter(request: FilterFlags) -> anyhow::Result<()> {
    let FilterFlags { server, filter, reach } = request;
    let cluster = reach.cluster()?;
    let wish = filter.map_or(Wish::Tell, Wish::Filter);
    let watching = ask(&cluster, &named(&cluster, &server).await?, wish).await?;
    tell(&reach, &server, &watching)
}

/// Has rules read again.
pub async fn reload(request: Reload) -> anyhow::Result<()> {
    let Reload { server, reach } = request;
    let cluster = reach.cluster()?;
    let watching = ask(&cluster, &named(&cluster, &server).await?, Wish::Reload).await?;
    tell(&reach, &server, &watching)
}

fn tell(reach: &Reach, server: &str, watching: &Watching) -> anyhow::Result<()> {
    let Watching { filter, seen, passed, dropped, absent, .. } = watching;
    let json = || {
        json!({ "server": server, "filter": filter, "seen": seen, "passed": passed, "dropped": dropped,
                "absent": absent })
    };
    let absent = if absent.is_empty() { "none".into() } else { absent.join(", ") };
    let human = || {
        format!(
            "{server} looks at: {filter}\nevents seen: {seen}, passed: {passed}, dropped: {dropped}\n\
             sources that its machine lacks: {absent}\n"
        )
    };
    print(reach.json, json, human)?;
    Ok(())
}

/// What a server is asked.
enum Wish {
    Tell,
    Filter(String),
    Reload,
}

async fn named(cluster: &Cluster, name: &str) -> anyhow::Result<ServerInfo> {
    let servers = all(&cluster.freshest().await?).await?;
    let known = servers.iter().map(|info| info.name.to_string()).collect::<Vec<_>>().join(", ");
    let found = servers.into_iter().find(|info| info.name.as_str() == name);
    found.ok_or_else(|| anyhow!("there is no server \"{name}\"; there are {known}"))
}

async fn ask(cluster: &Cluster, server: &ServerInfo, wish: Wish) -> anyhow::Result<Watching> {
    call(cluster, server, async move |client| {
        let answer: Result<Watching, BadWish> = match wish {
            Wish::Tell => Ok(client.watching(rpc::context()).await?),
            Wish::Filter(filter) => client.set_filter(rpc::context(), filter).await?,
            Wish::Reload => client.reload_rules(rpc::context()).await?,
        };
        answer.map_err(|error| anyhow::Error::new(Usage(error.to_string())))
    })
    .await
}

/// Asks a server about its environment, for a bounded time.
pub async fn call<T>(
    cluster: &Cluster,
    server: &ServerInfo,
    ask: impl AsyncFnOnce(EnvironmentApiClient) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let address = &server.control_address;
    let asking = async {
        let service = Service::Environment;
        let transport = rpc::connect(&TcpDial, address, cluster.secret(), service, Role::Operator).await?;
        ask(EnvironmentApiClient::new(rpc::tarpc::client::Config::default(), transport).spawn()).await
    };
    match timeout(ONE_TIMEOUT, asking).await {
        Ok(answer) => answer.with_context(|| format!("{} at {address}", server.name)),
        Err(_) => Err(anyhow!("{} at {address} did not answer within {ONE_TIMEOUT:?}", server.name)),
    }
}
