//! What a dead server had in use is loaded elsewhere without a request, within a budget, and whoever leads goes on with
//! it (R18, R26, C17, claims 5 and 42).

use std::{collections::BTreeSet, time::Duration};

use controller::Settings;
use model::DatabaseId;

use crate::{
    fleet::{Fleet, eventually, route},
    server::{Held, Server},
};

fn quick(settings: &mut Settings) {
    settings.heartbeat = Duration::from_millis(100);
    settings.lease = Duration::from_secs(2);
}

/// Makes databases with these names and has them loaded.
async fn loaded(fleet: &Fleet, names: impl IntoIterator<Item = String>) -> Vec<DatabaseId> {
    let mut databases = Vec::new();
    for name in names {
        fleet.create(&name).await.expect("a free name");
        databases.push(route(&fleet.client(), &name, None).await.expect("a server is up").database);
    }
    databases
}

/// Waits until these servers serve all of the databases; how many each has.
async fn served(servers: &[&Server], databases: &[DatabaseId]) -> Vec<usize> {
    let wanted: BTreeSet<DatabaseId> = databases.iter().copied().collect();
    eventually("everything to be served by others", || async {
        let all = servers.iter().map(|server| server.shared.serving());
        let all: Vec<BTreeSet<DatabaseId>> = all.map(|serving| serving.into_keys().collect()).collect();
        let together: BTreeSet<DatabaseId> = all.iter().flatten().copied().collect();
        together.is_superset(&wanted).then(|| all.iter().map(BTreeSet::len).collect())
    })
    .await
}

#[tokio::test]
async fn most_of_a_dead_servers_databases_go_to_the_idle_survivor_and_none_is_asked_for_r18_r26() {
    let fleet = Fleet::tuned(1, quick);
    fleet.leader().await;
    let dying = Server::start(&fleet, "s1", 1).await;
    let databases = loaded(&fleet, (0..30).map(|number| format!("db{number}"))).await;
    let busy = Server::start(&fleet, "s2", 2).await;
    loaded(&fleet, (0..10).map(|number| format!("busy{number}"))).await;
    let idle = Server::start(&fleet, "s3", 3).await;
    busy.shared.work(100);
    tokio::time::sleep(Duration::from_secs(1)).await;
    dying.kill().await;
    let counts = served(&[&busy, &idle], &databases).await;
    let (busy, idle) = (counts[0] - 10, counts[1]);
    assert!(idle >= 20 && busy + idle == 30, "{busy} went to the busy one, {idle} to the idle one");
}

#[tokio::test]
async fn what_was_not_in_use_waits_for_a_request() {
    let fleet = Fleet::tuned(1, quick);
    fleet.leader().await;
    let dying = Server::start(&fleet, "s1", 1).await;
    let used = loaded(&fleet, ["used".to_owned()]).await;
    fleet.create("unused").await.expect("a free name");
    let survivor = Server::start(&fleet, "s2", 2).await;
    dying.kill().await;
    served(&[&survivor], &used).await;
    let unused = route(&fleet.client(), "unused", None).await.expect("the other is up");
    assert_eq!(unused.owner.server, survivor.registered.server);
    assert_eq!(survivor.shared.loads().len(), 2, "each was loaded once");
}

#[tokio::test]
async fn switched_off_everything_waits_for_a_request() {
    let fleet = Fleet::tuned(1, |settings| {
        quick(settings);
        settings.failover_per_second = 0;
    });
    fleet.leader().await;
    let dying = Server::start(&fleet, "s1", 1).await;
    loaded(&fleet, ["a".to_owned(), "b".to_owned()]).await;
    let survivor = Server::start(&fleet, "s2", 2).await;
    dying.kill().await;
    eventually("a route to the other", || async {
        let routed = route(&fleet.client(), "a", None).await.expect("the other is up");
        (routed.owner.server == survivor.registered.server).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(survivor.shared.loads().len(), 1);
}

#[tokio::test]
async fn a_new_leader_goes_on_where_the_old_one_died_c17() {
    let mut fleet = Fleet::tuned(3, |settings| {
        quick(settings);
        // Time for the leader to die in between.
        settings.failover_in_flight = 2;
    });
    let leader = fleet.leader().await;
    let dying = Server::start(&fleet, "s1", 1).await;
    let databases = loaded(&fleet, (0..20).map(|number| format!("db{number}"))).await;
    let survivor = Server::start(&fleet, "s2", 2).await;
    survivor.shared.hold(Held::Loads);
    dying.kill().await;
    eventually("the first to be assigned", || async {
        let at_least = rpc::controller::Consistency::AtLeast(model::Revision(0));
        for number in 0..20 {
            let info = crate::fleet::look_up(&fleet.client(), &format!("db{number}"), at_least).await;
            let owner = info.expect("it exists").owner;
            if owner.is_some_and(|owner| owner.tenure.server == survivor.registered.server) {
                return Some(());
            }
        }
        None
    })
    .await;
    fleet.kill(leader);
    survivor.shared.hold(Held::Nothing);
    // Those that the old leader had assigned are in use only when somebody asks for them.
    let left = eventually("the new leader to go on", || async {
        let serving = survivor.shared.serving();
        (serving.len() >= databases.len() - 2).then(|| databases.len() - serving.len())
    })
    .await;
    assert!(left <= 2, "{left}");
    for (number, database) in databases.iter().enumerate() {
        let routed = route(&fleet.client(), &format!("db{number}"), None).await.expect("it is served");
        assert_eq!((routed.database, routed.owner.server), (*database, survivor.registered.server));
    }
}

#[tokio::test]
async fn a_new_leader_knows_what_was_in_use_on_a_server_that_dies_later_c17() {
    let mut fleet = Fleet::tuned(3, quick);
    let leader = fleet.leader().await;
    let dying = Server::start(&fleet, "s1", 1).await;
    let used = loaded(&fleet, ["used".to_owned()]).await;
    fleet.create("unused").await.expect("a free name");
    let survivor = Server::start(&fleet, "s2", 2).await;
    fleet.kill(leader);
    fleet.leader().await;
    // It asks every server that it hears of.
    tokio::time::sleep(Duration::from_secs(1)).await;
    dying.kill().await;
    served(&[&survivor], &used).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(survivor.shared.loads().len(), 1, "what was not in use waits");
}
