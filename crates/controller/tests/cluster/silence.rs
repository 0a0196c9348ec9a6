//! Servers that fall silent: alone, they lose what they have after their lease, or at once when they are proved dead;
//! together, the brake holds (R18, R19, claim 5).

use std::time::Duration;

use futures::{FutureExt as _, future::join_all};
use model::{Epoch, ServerState};
use rpc::controller::{BrakeEngaged, Operation, Route, RouteFailed, ServerInfo, WhyFailed};

use crate::{
    fleet::{Fleet, eventually, route},
    server::Server,
};

/// One controller, short leases, and that many servers, with a database on each: `db1` on `s1` and so on.
async fn fleet(servers: usize) -> (Fleet, Vec<Server>, Vec<Route>) {
    let fleet = Fleet::tuned(1, |settings| {
        settings.heartbeat = Duration::from_millis(200);
        settings.lease = Duration::from_millis(1_500);
    });
    fleet.leader().await;
    let (mut running, mut routes) = (Vec::new(), Vec::new());
    for number in 1..=servers {
        // Each new one is the only one without a database.
        running.push(Server::start(&fleet, &format!("s{number}"), number as u64).await);
        let name = format!("db{number}");
        fleet.create(&name).await.expect("a free name");
        let routed = route(&fleet.client(), &name, None).await.expect("it is up");
        assert_eq!(routed.address, format!("s{number}:1"));
        routes.push(routed);
    }
    (fleet, running, routes)
}

fn unreachable(route: &Route) -> Option<RouteFailed> {
    Some(RouteFailed { epoch: route.epoch, why: WhyFailed::Unreachable })
}

async fn servers(fleet: &Fleet) -> Vec<ServerInfo> {
    let leader = fleet.one(fleet.leader().await);
    let servers = leader.any(|client, context| async move { client.servers(context).await }.boxed());
    servers.await.expect("it answers")
}

async fn is_down(fleet: &Fleet, name: &str) -> bool {
    let servers = servers(fleet).await;
    servers.iter().any(|info| info.name.as_str() == name && info.state == ServerState::Down)
}

async fn down(fleet: &Fleet, name: &str) {
    eventually("a server to be declared dead", || async { is_down(fleet, name).await.then_some(()) }).await;
}

async fn brake(fleet: &Fleet) -> Option<BrakeEngaged> {
    fleet.status(fleet.leader().await).await.brake
}

/// Cuts the first three of four servers off, and waits for the brake.
async fn braked() -> (Fleet, Vec<Server>, Vec<Route>) {
    let (fleet, running, routes) = fleet(4).await;
    for server in ["s1:2", "s2:2", "s3:2"] {
        fleet.net.cut_off(server);
    }
    let engaged = eventually("the brake", || brake(&fleet)).await;
    assert_eq!((engaged.silent, engaged.of), (3, 4));
    (fleet, running, routes)
}

#[tokio::test]
async fn a_killed_server_is_declared_dead_without_a_request_and_long_before_its_lease_r18() {
    let fleet = Fleet::tuned(1, |settings| {
        settings.heartbeat = Duration::from_millis(100);
        settings.lease = Duration::from_secs(3_600);
    });
    fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    server.kill().await;
    down(&fleet, "s1").await;
}

#[tokio::test]
async fn a_server_that_has_not_heard_of_its_life_yet_is_not_declared_dead_before_its_lease() {
    let (fleet, running, _) = fleet(1).await;
    running[0].shared.forget_life();
    // Long enough for heartbeats to be missed and for some probes, short of the lease.
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(!is_down(&fleet, "s1").await);
    down(&fleet, "s1").await;
}

#[tokio::test]
async fn requests_for_a_silent_servers_database_wait_for_its_lease_and_move_it_once_r18_r19() {
    let (fleet, _running, routes) = fleet(3).await;
    fleet.net.cut_off("s1:2");
    let client = fleet.client();
    let asked = join_all((0..5).map(|_| route(&client, "db1", unreachable(&routes[0])))).await;
    for answer in asked {
        let answer = answer.expect("others are up");
        assert_eq!(answer.epoch, routes[0].epoch.next(), "all of them together moved it once");
        assert_ne!(answer.owner, routes[0].owner);
    }
    let late = route(&client, "db1", unreachable(&routes[0])).await.expect("it is served");
    assert_eq!(late.epoch, routes[0].epoch.next(), "a report of the old epoch moves nothing");
}

#[tokio::test]
async fn when_most_servers_fall_silent_none_is_declared_dead_and_requests_are_told_why() {
    let (fleet, _running, routes) = braked().await;
    let refused = route(&fleet.client(), "db1", unreachable(&routes[0])).await.expect_err("it is held");
    let text = refused.to_string();
    assert!(text.contains("\"s1\"") && text.contains("3 of 4") && text.contains("brake"), "{text}");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(servers(&fleet).await.iter().all(|info| info.state == ServerState::Up));
    let served = route(&fleet.client(), "db4", None).await.expect("others are served as before");
    assert_eq!(served.owner, routes[3].owner);
}

#[tokio::test]
async fn the_brake_lets_go_when_enough_are_heard_of_again() {
    let (fleet, running, routes) = braked().await;
    fleet.net.reconnect("s1:2");
    fleet.net.reconnect("s2:2");
    down(&fleet, "s3").await;
    assert_eq!(brake(&fleet).await, None);
    assert!(!is_down(&fleet, "s1").await && !is_down(&fleet, "s2").await);
    let moved = route(&fleet.client(), "db3", unreachable(&routes[2])).await.expect("others are up");
    assert_eq!(moved.epoch, routes[2].epoch.next());
    let stayed = route(&fleet.client(), "db1", unreachable(&routes[0])).await.expect("it is back");
    assert_eq!((stayed.epoch, stayed.owner), (routes[0].epoch, routes[0].owner));
    assert_eq!(running[0].shared.loads().first().map(|(_, epoch)| *epoch), Some(Epoch(1)));
}

#[tokio::test]
async fn proof_of_death_passes_the_brake_for_that_server_alone() {
    let (fleet, mut running, routes) = braked().await;
    running.remove(2).kill().await;
    fleet.net.reconnect("s3:2");
    down(&fleet, "s3").await;
    let moved = route(&fleet.client(), "db3", unreachable(&routes[2])).await.expect("one is up");
    assert_eq!(moved.address, "s4:1");
    assert!(!is_down(&fleet, "s1").await && !is_down(&fleet, "s2").await);
    eventually("the brake to count the others", || async {
        let on = brake(&fleet).await.expect("two of three are silent");
        ((on.silent, on.of) == (2, 3)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_operator_lets_go_of_the_brake() {
    let (fleet, _running, _) = braked().await;
    fleet.operate(Operation::ReleaseBrake).await.expect("there is a leader");
    for server in ["s1", "s2", "s3"] {
        down(&fleet, server).await;
    }
    assert_eq!(brake(&fleet).await, None);
    fleet.operate(Operation::ReleaseBrake).await.expect("it does nothing");
}
