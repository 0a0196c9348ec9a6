//! A drained server is emptied without a request, by whoever leads, and gets nothing new (R27).

use std::collections::BTreeSet;

use futures::FutureExt as _;
use model::{DatabaseId, ServerState};
use rpc::controller::{DatabaseRef, Operation, ServerInfo};

use crate::{
    fleet::{Fleet, eventually, route},
    server::{Held, Server},
};

fn drain(server: &str, draining: bool) -> Operation {
    Operation::DrainServer { server: server.into(), draining }
}

/// A server, as the leader knows it.
async fn info(fleet: &Fleet, name: &str) -> ServerInfo {
    let leader = fleet.one(fleet.leader().await);
    let servers = leader.any(|client, context| async move { client.servers(context).await }.boxed());
    let servers = servers.await.expect("it answers");
    servers.into_iter().find(|info| info.name.as_str() == name).expect("it registered")
}

/// So many databases on the only server, the first so many of them loaded.
async fn filled(fleet: &Fleet, count: usize, loaded: usize) -> Vec<DatabaseId> {
    let mut databases = Vec::new();
    for number in 0..count {
        let name = format!("db{number}");
        databases.push(fleet.create(&name).await.expect("a free name").database);
        if number < loaded {
            route(&fleet.client(), &name, None).await.expect("a server is up");
        }
    }
    databases
}

async fn empty(fleet: &Fleet, name: &str) {
    eventually("an empty server", || async {
        let info = info(fleet, name).await;
        (info.state == ServerState::Draining && info.databases == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_drained_server_is_emptied_and_only_what_was_loaded_is_loaded_elsewhere_r27() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let old = Server::start(&fleet, "s1", 1).await;
    let databases = filled(&fleet, 30, 10).await;
    let new = Server::start(&fleet, "s2", 2).await;
    fleet.operate(drain("s1", true)).await.expect("it is up");
    empty(&fleet, "s1").await;
    let expected: BTreeSet<DatabaseId> = databases[..10].iter().copied().collect();
    // The map is done before the last loads are.
    eventually("what was loaded to be loaded again", || async {
        let loaded = new.shared.serving().into_keys().collect::<BTreeSet<_>>();
        (loaded == expected).then_some(())
    })
    .await;
    assert!(old.shared.serving().is_empty());
    let later = route(&fleet.client(), "db20", None).await.expect("the other is up");
    assert_eq!(later.owner.server, new.registered.server);
}

#[tokio::test]
async fn a_draining_server_gets_nothing_until_that_is_cancelled() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let _only = Server::start(&fleet, "s1", 1).await;
    fleet.operate(drain("s1", true)).await.expect("it is up");
    let made = fleet.create("shop").await.expect("a free name");
    assert_eq!(made.owner, None);
    let nobody = route(&fleet.client(), "shop", None).await.expect_err("nobody takes it").to_string();
    assert!(nobody.contains("draining"), "{nobody}");
    let shop = DatabaseRef::Name("shop".into());
    let there = Operation::MoveDatabase { database: shop, server: "s1".into() };
    let refused = fleet.operate(there).await.expect_err("it drains").to_string();
    assert!(refused.contains("being drained"), "{refused}");
    fleet.operate(drain("s1", false)).await.expect("it is up");
    route(&fleet.client(), "shop", None).await.expect("it takes databases again");
}

#[tokio::test]
async fn what_has_nowhere_to_go_stays_served_and_goes_when_another_server_comes() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let only = Server::start(&fleet, "s1", 1).await;
    let databases = filled(&fleet, 2, 2).await;
    fleet.operate(drain("s1", true)).await.expect("it is up");
    let served = route(&fleet.client(), "db0", None).await.expect("it stays where it is");
    assert_eq!(served.owner.server, only.registered.server);
    assert_eq!(only.shared.serving().len(), databases.len());
    let _other = Server::start(&fleet, "s2", 2).await;
    empty(&fleet, "s1").await;
}

#[tokio::test]
async fn the_next_leader_goes_on_with_a_drain() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let old = Server::start(&fleet, "s1", 1).await;
    filled(&fleet, 12, 12).await;
    let new = Server::start(&fleet, "s2", 2).await;
    old.shared.hold(Held::Releases);
    fleet.operate(drain("s1", true)).await.expect("it is up");
    eventually("the drain to begin", || async { (!old.shared.released().is_empty()).then_some(()) }).await;
    fleet.kill(leader);
    old.shared.hold(Held::Nothing);
    empty(&fleet, "s1").await;
    for number in 0..12 {
        let served = route(&fleet.client(), &format!("db{number}"), None).await.expect("it is served");
        assert_eq!(served.owner.server, new.registered.server);
    }
    assert!(old.shared.serving().is_empty());
}
