//! `stationmaster controllers add|remove|replace|transfer-leadership`: asks for it, and watches until it is so.
//!
//! The leader does the work, one step for each time it is asked. Ending this command leaves things where they are;
//! running it again goes on, also after a broken answer or with another leader.

use std::{process::ExitCode, time::Duration};

use anyhow::anyhow;
use model::ControllerId;
use rpc::controller::{ControllerInfo, ControllersChange, Operation};

use super::{Reach, cluster::Cluster, listing::print};

/// Pause between two looks at how far it is.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// It is so.
    Done(String),
    /// Not yet.
    Going(String),
}

/// Changes it. Succeeds when it is so.
pub async fn run(reach: &Reach, change: ControllersChange) -> anyhow::Result<ExitCode> {
    let cluster = reach.cluster()?;
    let mut shown = String::new();
    let done = loop {
        cluster.operate(Operation::ChangeControllers(change.clone())).await?;
        match stage(&change, &list(&cluster).await?) {
            Stage::Done(done) => break done,
            Stage::Going(going) if going != shown && !reach.json => {
                eprintln!("{going}");
                shown = going;
            }
            Stage::Going(_) => {}
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    };
    let list = list(&cluster).await?;
    let members = || {
        list.iter().map(|info| serde_json::json!({ "id": info.controller.0, "address": info.address, "voter": info.voter }))
    };
    let json = || serde_json::json!({ "done": done, "controllers": members().collect::<Vec<_>>() });
    print(reach.json, json, || format!("{done}; {}\n", now(&list)))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes another controller lead: this one, or the follower that has most.
pub async fn transfer(reach: &Reach, to: Option<ControllerId>) -> anyhow::Result<ExitCode> {
    let to = match to {
        Some(to) => to,
        None => {
            let list = list(&reach.cluster()?).await?;
            let followers = list.iter().filter(|info| info.voter && !info.leader);
            let best = followers.max_by_key(|info| info.matched);
            best.ok_or_else(|| anyhow!("there is no other controller that could lead"))?.controller
        }
    };
    run(reach, ControllersChange::TransferLeadership { to }).await
}

/// The controllers as their leader knows them.
pub async fn list(cluster: &Cluster) -> anyhow::Result<Vec<ControllerInfo>> {
    let leader = cluster.freshest().await?;
    super::cluster::answered(
        leader.any(|client, context| Box::pin(async move { client.controllers(context).await })).await,
    )
}

fn stage(change: &ControllersChange, list: &[ControllerInfo]) -> Stage {
    let at = |address: &str| list.iter().find(|info| info.address == address);
    let is_there = |id: &ControllerId| list.iter().any(|info| info.controller == *id);
    match change {
        ControllersChange::Add { address } => match at(address) {
            Some(info) if info.voter => {
                Stage::Done(format!("controller {} at {address} votes", info.controller))
            }
            learner => Stage::Going(catching_up(address, learner, list)),
        },
        ControllersChange::Remove { controller } if is_there(controller) => {
            Stage::Going(format!("controller {controller} is being removed"))
        }
        ControllersChange::Remove { controller } => {
            Stage::Done(format!("controller {controller} is no member"))
        }
        ControllersChange::Replace { controller, address } => match at(address) {
            Some(info) if info.voter && (info.controller == *controller || !is_there(controller)) => {
                Stage::Done(format!(
                    "controller {} at {address} votes in place of {controller}",
                    info.controller
                ))
            }
            Some(info) if info.voter => Stage::Going(format!("controller {controller} is being removed")),
            learner => Stage::Going(catching_up(address, learner, list)),
        },
        ControllersChange::TransferLeadership { to } => {
            match list.iter().any(|info| info.controller == *to && info.leader) {
                true => Stage::Done(format!("controller {to} leads")),
                false => Stage::Going(format!("controller {to} is taking over")),
            }
        }
    }
}

fn catching_up(address: &str, learner: Option<&ControllerInfo>, list: &[ControllerInfo]) -> String {
    let last = list.iter().find(|info| info.leader).and_then(|info| info.matched);
    match learner {
        None => format!("{address} is being added"),
        Some(ControllerInfo { controller, matched: Some(matched), .. }) => {
            let behind = last.map_or(0, |last| last.saturating_sub(*matched));
            format!("controller {controller} at {address} is catching up: {behind} log entries behind")
        }
        Some(ControllerInfo { controller, matched: None, .. }) => {
            format!("controller {controller} at {address} is being sent the map")
        }
    }
}

fn now(list: &[ControllerInfo]) -> String {
    let voters = list.iter().filter(|info| info.voter).count();
    let (needed, may_fail) = (voters / 2 + 1, voters - (voters / 2 + 1).min(voters));
    format!("{voters} vote now: {needed} must be up, {may_fail} may fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(id: u64, voter: bool, matched: Option<u64>) -> ControllerInfo {
        ControllerInfo {
            controller: ControllerId(id),
            address: format!("c{id}:1"),
            voter,
            leader: id == 1,
            matched,
        }
    }

    fn going(change: &ControllersChange, list: &[ControllerInfo]) -> String {
        match stage(change, list) {
            Stage::Going(text) => text,
            Stage::Done(text) => panic!("done already: {text}"),
        }
    }

    fn done(change: &ControllersChange, list: &[ControllerInfo]) -> bool {
        matches!(stage(change, list), Stage::Done(_))
    }

    #[test]
    fn adding_is_done_when_the_new_one_votes() {
        let add = ControllersChange::Add { address: "c4:1".into() };
        let list = |newest: ControllerInfo| [info(1, true, Some(90)), newest];
        assert!(going(&add, &[info(1, true, Some(90))]).contains("being added"));
        assert!(going(&add, &list(info(4, false, None))).contains("being sent the map"));
        assert!(going(&add, &list(info(4, false, Some(50)))).contains("40 log entries behind"));
        assert!(done(&add, &list(info(4, true, Some(90)))));
    }

    #[test]
    fn replacing_is_done_when_the_old_one_is_gone_too() {
        let replace = ControllersChange::Replace { controller: ControllerId(2), address: "c4:1".into() };
        let [one, two, four] = [info(1, true, None), info(2, true, None), info(4, true, None)];
        assert!(going(&replace, &[one.clone(), two, four.clone()]).contains("controller 2 is being removed"));
        assert!(done(&replace, &[one.clone(), four]));
        let remove = ControllersChange::Remove { controller: ControllerId(2) };
        assert!(done(&remove, &[one]));
    }

    #[test]
    fn the_end_says_how_many_may_fail() {
        let list: Vec<ControllerInfo> = (1..=4).map(|id| info(id, id < 4, None)).collect();
        assert_eq!(now(&list), "3 vote now: 2 must be up, 1 may fail");
    }
}
