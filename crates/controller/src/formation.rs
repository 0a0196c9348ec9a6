//! How a fleet comes to be: every controller of the list may found it, all with the same list, which Raft allows.
//!
//! A controller without data first asks the others: if one of them has a history already, this one is new among them
//! (or was wiped) and waits to be sent the log. Only if nobody has does it begin one.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use openraft::{BasicNode, errors::RaftError};
use tokio::time::sleep;

use crate::{limits::CONNECT_TIMEOUT, node::Node};

/// Makes this controller part of a fleet, if it is on the list and has no data.
///
/// # Errors
/// The engine has stopped.
pub async fn form(node: &Arc<Node>) -> Result<(), String> {
    let members = &node.settings.members;
    if !members.iter().any(|(id, _)| *id == node.settings.id) {
        tracing::info!("not among the members of a new fleet; waiting to be added to one");
        return Ok(());
    }
    while !node.raft.is_initialized().await.map_err(|fatal| fatal.to_string())? {
        if somebody_has_history(node).await {
            tracing::info!("the others have a history; waiting for it");
            sleep(CONNECT_TIMEOUT).await;
            continue;
        }
        let nodes: BTreeMap<u64, BasicNode> =
            members.iter().map(|(id, address)| (id.0, BasicNode { addr: address.clone() })).collect();
        match node.raft.initialize(nodes).await {
            Ok(()) => tracing::info!("this controller begins a fleet with {} members", members.len()),
            // A vote or a log came from somebody who was faster.
            Err(RaftError::APIError(error)) => {
                tracing::info!(%error, "somebody else began the fleet");
                return Ok(());
            }
            Err(RaftError::Fatal(fatal)) => return Err(fatal.to_string()),
        }
    }
    Ok(())
}

async fn somebody_has_history(node: &Node) -> bool {
    let others = node.settings.members.iter().filter(|(id, _)| *id != node.settings.id);
    let asked = others.map(|(_, address)| has_history(node, address));
    join_all(asked).await.contains(&true)
}

async fn has_history(node: &Node, address: &str) -> bool {
    match node.status_of(address).await {
        Some(status) => status.fleet.is_some() || status.revision > model::Revision(0),
        // Nobody there, or not ready to say: it will learn of the fleet as we do.
        None => false,
    }
}
