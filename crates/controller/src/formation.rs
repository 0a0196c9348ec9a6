//! How a fleet comes to be: every controller of the list may found it, all with the same list, which Raft allows.
//!
//! A controller without data cannot know whether it is new or has lost its disk; if it has, it must not vote
//! (`raft::admission`). So a fleet is founded only once all founders have met and none of them has a history: from then
//! on each of them remembers what it does. A controller that finds a history waits to be sent it, and so does one that
//! is on no list: it waits to be added to a fleet.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use model::ControllerId;
use openraft::{BasicNode, errors::RaftError};
use rpc::controller::ControllerStatus;
use tokio::time::sleep;

use crate::{
    limits::{FORM_PAUSE, FORM_SETTLE},
    node::Node,
};

/// What the other founders say.
enum Founders {
    /// All were asked, and nobody has a history.
    AllNew,
    /// Somebody has one.
    History,
    /// These do not answer; nobody else has a history.
    Missing(Vec<String>),
}

/// Makes this controller part of a fleet, if it is on the list and has no data.
///
/// # Errors
/// The engine or the disk has stopped.
pub async fn form(node: &Arc<Node>) -> Result<(), String> {
    let members = &node.settings.members;
    if !members.iter().any(|(id, _)| *id == node.settings.id) {
        tracing::info!("not among the founders of a fleet; waiting to be added to one");
        return Ok(());
    }
    let mut told = String::new();
    while !node.raft.is_initialized().await.map_err(|fatal| fatal.to_string())? {
        let waits_for = match (founders(node).await, node.admission.is_joining()) {
            (Founders::AllNew, true) => {
                node.admission.admit().await.map_err(|error| error.to_string())?;
                // The others are about to find out as well; until then they would refuse to vote.
                sleep(FORM_SETTLE).await;
                continue;
            }
            (Founders::AllNew | Founders::Missing(_), false) => return found(node).await,
            (Founders::History, _) => "the others have a history; waiting for it".into(),
            (Founders::Missing(missing), true) => {
                format!("a fleet is founded once all its founders are up; waiting for {}", missing.join(", "))
            }
        };
        if told != waits_for {
            tracing::info!("{waits_for}");
            told = waits_for;
        }
        sleep(FORM_PAUSE).await;
    }
    Ok(())
}

async fn found(node: &Node) -> Result<(), String> {
    let members = node.settings.members.iter();
    let nodes: BTreeMap<u64, BasicNode> =
        members.map(|(id, address)| (id.0, BasicNode { addr: address.clone() })).collect();
    let count = nodes.len();
    match node.raft.initialize(nodes).await {
        Ok(()) => tracing::info!("this controller begins a fleet with {count} members"),
        // A vote or a log came from somebody who was faster.
        Err(RaftError::APIError(error)) => tracing::info!(%error, "somebody else began the fleet"),
        Err(RaftError::Fatal(fatal)) => return Err(fatal.to_string()),
    }
    Ok(())
}

async fn founders(node: &Node) -> Founders {
    let others = node.settings.members.iter().filter(|(id, _)| *id != node.settings.id);
    let asked = others.map(|(id, address)| async move { (*id, address, node.status_of(address).await) });
    let mut missing = Vec::new();
    for (id, address, answer) in join_all(asked).await {
        match answer {
            Ok(status) if status.controller != id => {
                missing.push(format!("controller {id} ({address} is controller {})", status.controller));
            }
            Ok(status) if has_history(&status) => return Founders::History,
            Ok(_) => {}
            Err(_) => missing.push(format!("controller {id} ({address})")),
        }
    }
    if missing.is_empty() { Founders::AllNew } else { Founders::Missing(missing) }
}

/// The first entry, number 0, only names the founders; whatever follows was agreed on.
fn has_history(status: &ControllerStatus) -> bool {
    status.fleet.is_some() || status.revision > model::Revision(0) || status.log_last > 0
}

/// Who may be added to a fleet: a controller, as it answers at its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Its id.
    pub id: u64,
    /// Where it is.
    pub address: String,
    /// Whether its disk is new.
    pub joining: bool,
    /// The fleet it says it is of.
    pub fleet: Option<model::FleetId>,
    /// What it knows.
    pub level: model::Level,
}

impl Newcomer {
    /// As it says.
    pub fn new(status: &ControllerStatus, address: &str) -> Self {
        let ControllerId(id) = status.controller;
        let joining = status.state == JOINING;
        Self { id, address: address.into(), joining, fleet: status.fleet, level: status.level_known }
    }
}

/// What a controller says of its state that is not admitted to a fleet.
pub const JOINING: &str = "joining";
