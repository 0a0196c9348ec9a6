//! From started processes to a cluster that a client can use.

use std::{collections::BTreeMap, convert::Infallible, fs, time::Duration};

use anyhow::{Context, anyhow};
use model::{Name, SenderRole};
use rpc::{Controllers, controller::Operation};
use tokio::{sync::mpsc::UnboundedReceiver, time::sleep};

use super::{
    Folder, Plan, SECRET,
    keeper::{Event, What},
    probe,
};
use crate::{
    config::Role,
    operate::{Cluster, verifier},
    secret,
};

/// The first user.
pub const USER: &str = "dev";

/// Pause between two looks at whoever is not ready.
const PAUSE: Duration = Duration::from_millis(50);
/// A child that dies so often before the cluster is ready will not make it.
const DEATHS_MAX: u32 = 3;
/// How much of a dead child's log is shown, in lines.
const LOG_LINES: usize = 12;

/// Waits until every process is ready and the first user can log in. Tells the first database, if there is one.
pub async fn until_ready(plan: &Plan, folder: &Folder, password: &str) -> anyhow::Result<Option<Name>> {
    for planned in &plan.processes {
        while probe::ready(&planned.admin).await.is_err() {
            sleep(PAUSE).await;
        }
    }
    let addresses = plan.of(Role::Controller).map(|planned| planned.address.clone()).collect();
    let cluster = Cluster::new(addresses, secret::read(&folder.path(SECRET))?);
    let controllers = cluster.freshest().await?;
    make_user(&cluster, &controllers, password)
        .await
        .with_context(|| format!("cannot make the user {USER}"))?;
    let page =
        controllers.any(|client, context| Box::pin(async move { client.databases(context, None, 1).await }));
    Ok(page.await?.databases.into_iter().next().map(|first| first.name))
}

/// Reports deaths until there are too many of one child; never ends otherwise.
pub async fn watch(happened: &mut UnboundedReceiver<Event>, folder: &Folder) -> anyhow::Error {
    match watch_deaths(happened, folder).await {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

async fn watch_deaths(
    happened: &mut UnboundedReceiver<Event>,
    folder: &Folder,
) -> anyhow::Result<Infallible> {
    let mut deaths = BTreeMap::<String, u32>::new();
    loop {
        let event = happened.recv().await.context("BUG: the caller holds a sender")?;
        match &event.what {
            What::Started { .. } => continue,
            What::Removed => {
                return Err(anyhow!("{} was removed from the fleet; start again, without it", event.name));
            }
            What::Ended { how, again } => {
                let count = deaths.entry(event.name.clone()).or_default();
                *count += 1;
                if *count >= DEATHS_MAX || again.is_none() {
                    let tail = tail(folder, &event.name);
                    return Err(anyhow!("{} {how}; the end of its log:\n{tail}", event.name));
                }
            }
            What::NotStarted { error, .. } => {
                return Err(anyhow!("{} could not be started: {error}", event.name));
            }
        }
    }
}

/// Who is not ready, and why.
pub async fn unready(plan: &Plan) -> String {
    let mut said = String::new();
    for planned in &plan.processes {
        if let Err(reason) = probe::ready(&planned.admin).await {
            said += &format!("\n  {}: {reason}", planned.name);
        }
    }
    said
}

/// Only if it is not there: its password may have been changed since.
async fn make_user(cluster: &Cluster, controllers: &Controllers, password: &str) -> anyhow::Result<()> {
    let known = controllers
        .any(|client, context| Box::pin(async move { client.verifier(context, USER.into()).await }))
        .await?;
    if known.is_none() {
        cluster.operate(Operation::PutUser { name: USER.into(), verifier: verifier(password) }).await?;
        let (user, role, by) = (USER.into(), Some(SenderRole::Approver), "dev".into());
        cluster.operate(Operation::PutSender { user, role, by }).await?;
    }
    Ok(())
}

fn tail(folder: &Folder, name: &str) -> String {
    let text = fs::read(folder.log(name)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].iter().map(|line| format!("    {line}\n")).collect()
}
