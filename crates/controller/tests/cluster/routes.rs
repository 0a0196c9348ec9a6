//! Databases are assigned and loaded by requests, once, and moved only for a reason (claims 1-4, R10, R12, R19).

use futures::future::join_all;
use model::Epoch;
use rpc::controller::{DatabaseRef, Operation, RouteFailed, WhyFailed};

use crate::{
    fleet::{Fleet, eventually, look_up, route},
    server::{Server, impostor},
};

#[tokio::test]
async fn fifty_first_requests_make_one_assignment_and_one_load() {
    let fleet = Fleet::start(3);
    fleet.leader().await;
    let made = fleet.create("shop").await.expect("a free name");
    assert_eq!((made.owner, made.epoch), (None, Epoch(0)), "nobody is there to own it");
    let server = Server::start(&fleet, "s1", 1).await;
    let client = fleet.client();
    let routes = join_all((0..50).map(|_| route(&client, "shop", None))).await;
    for answer in routes {
        let answer = answer.expect("it is loaded");
        assert_eq!((answer.epoch, answer.address.as_str()), (Epoch(1), "s1:1"));
    }
    assert_eq!(server.shared.loads(), [(made.database, Epoch(1))]);
    route(&client, "shop", None).await.expect("it stays loaded");
    assert_eq!(server.shared.loads().len(), 1, "the next request loads nothing");
}

#[tokio::test]
async fn a_route_to_nothing_and_a_route_without_servers_are_refused_in_words() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let unknown = route(&fleet.client(), "shop", None).await.expect_err("no such database").to_string();
    assert!(unknown.contains("\"shop\" does not exist"), "{unknown}");
    fleet.create("shop").await.expect("a free name");
    let nobody = route(&fleet.client(), "shop", None).await.expect_err("no server").to_string();
    assert!(nobody.contains("no server is up: none has ever registered"), "{nobody}");
}

#[tokio::test]
async fn a_stale_report_of_failure_moves_nothing() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let servers = [Server::start(&fleet, "s1", 1).await, Server::start(&fleet, "s2", 2).await];
    fleet.create("shop").await.expect("a free name");
    let client = fleet.client();
    let first = route(&client, "shop", None).await.expect("a server is up");
    for why in [WhyFailed::Refused, WhyFailed::Unreachable] {
        let stale = RouteFailed { epoch: Epoch(first.epoch.0 - 1), why };
        let again = route(&client, "shop", Some(stale)).await.expect("it is served");
        assert_eq!((again.epoch, again.owner), (first.epoch, first.owner));
    }
    let loads: usize = servers.iter().map(|server| server.shared.loads().len()).sum();
    assert_eq!(loads, 1);
}

#[tokio::test]
async fn a_killed_server_is_expired_and_its_database_goes_to_another() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let first = Server::start(&fleet, "s1", 1).await;
    fleet.create("shop").await.expect("a free name");
    let client = fleet.client();
    let before = route(&client, "shop", None).await.expect("a server is up");
    first.kill().await;
    let second = Server::start(&fleet, "s2", 2).await;
    let failed = RouteFailed { epoch: before.epoch, why: WhyFailed::Unreachable };
    let after = route(&client, "shop", Some(failed)).await.expect("another server is up");
    assert_eq!((after.epoch, after.owner.server), (before.epoch.next(), second.registered.server));
}

#[tokio::test]
async fn a_silent_server_is_expired_after_its_lease_and_not_before() {
    let fleet = Fleet::tuned(1, |settings| settings.lease = std::time::Duration::from_secs(1));
    fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    fleet.create("shop").await.expect("a free name");
    let owned = route(&fleet.client(), "shop", None).await.expect("a server is up");
    server.kill().await;
    let client = fleet.client();
    eventually("its lease to lapse", || async {
        let at_least = rpc::controller::Consistency::AtLeast(owned.revision);
        look_up(&client, "shop", at_least).await.expect("it exists").owner.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_that_cannot_load_is_passed_over() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let bad = Server::start(&fleet, "s1", 1).await;
    bad.shared.fail();
    fleet.create("shop").await.expect("a free name");
    let alone = route(&fleet.client(), "shop", None).await.expect_err("it cannot load").to_string();
    assert!(alone.contains("no server is up") || alone.contains("on fire"), "{alone}");
    let good = Server::start(&fleet, "s2", 2).await;
    let found = route(&fleet.client(), "shop", None).await.expect("the other can");
    assert_eq!(found.owner.server, good.registered.server);
}

#[tokio::test]
async fn a_database_put_away_is_unassigned_and_comes_back_under_a_new_epoch() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    let made = fleet.create("shop").await.expect("a free name");
    let client = fleet.client();
    let before = route(&client, "shop", None).await.expect("a server is up");
    server.shared.put_away(made.database);
    eventually("the map to hear of it", || async {
        let at_least = rpc::controller::Consistency::AtLeast(before.revision);
        look_up(&client, "shop", at_least).await.expect("it exists").owner.is_none().then_some(())
    })
    .await;
    let after = route(&client, "shop", None).await.expect("a server is up");
    assert_eq!(after.epoch, Epoch(before.epoch.0 + 2), "one epoch for taking, one for giving");
}

#[tokio::test]
async fn a_refusal_at_the_present_epoch_leads_to_a_new_one_when_it_is_spent() {
    let fleet = Fleet::tuned(1, |settings| settings.heartbeat = std::time::Duration::from_secs(1));
    fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    let made = fleet.create("shop").await.expect("a free name");
    let client = fleet.client();
    let before = route(&client, "shop", None).await.expect("a server is up");
    server.shared.put_away(made.database);
    let failed = RouteFailed { epoch: before.epoch, why: WhyFailed::Refused };
    let after = route(&client, "shop", Some(failed)).await.expect("it is loaded again");
    assert!(after.epoch > before.epoch);
    assert!(server.shared.loads().contains(&(made.database, after.epoch)));
}

#[tokio::test]
async fn a_restarted_server_takes_over_its_name_and_owns_nothing() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let first = Server::start(&fleet, "s1", 1).await;
    fleet.create("shop").await.expect("a free name");
    let before = route(&fleet.client(), "shop", None).await.expect("a server is up");
    let id = first.registered.server;
    first.kill().await;
    let second = Server::start(&fleet, "s1", 2).await;
    assert_eq!(second.registered.server, id);
    let after = route(&fleet.client(), "shop", None).await.expect("a server is up");
    assert_eq!((after.epoch, after.owner.server), (before.epoch.next(), id));
}

#[tokio::test]
async fn a_second_server_with_the_name_and_addresses_of_one_that_lives_is_refused() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let first = Server::start(&fleet, "s1", 1).await;
    fleet.create("shop").await.expect("a free name");
    let before = route(&fleet.client(), "shop", None).await.expect("a server is up");
    let refused = impostor(&fleet, "s1", 2).await.expect_err("the first answers there").to_string();
    assert!(refused.contains("two servers cannot share a name"), "{refused}");
    let after = route(&fleet.client(), "shop", None).await.expect("it goes on");
    assert_eq!((after.epoch, after.owner), (before.epoch, before.owner));
    first.kill().await;
    impostor(&fleet, "s1", 2).await.expect("nobody answers there any more");
}

#[tokio::test]
async fn an_operator_moves_takes_and_drops() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let servers = [Server::start(&fleet, "s1", 1).await, Server::start(&fleet, "s2", 2).await];
    let made = fleet.create("shop").await.expect("a free name");
    let client = fleet.client();
    let before = route(&client, "shop", None).await.expect("a server is up");
    let (old, new) = if before.address == "s1:1" { (0, 1) } else { (1, 0) };
    let shop = DatabaseRef::Name("shop".into());
    let server = Some(format!("s{}", new + 1));
    let moved = fleet.operate(Operation::AssignDatabase { database: shop.clone(), server }).await;
    let moved = moved.expect("both are up").database.expect("it exists");
    assert_eq!(moved.epoch, before.epoch.next());
    assert_eq!(servers[old].shared.released(), [made.database], "the old owner lets go first");
    let taken = fleet.operate(Operation::UnassignDatabase { database: shop.clone() }).await;
    assert_eq!(taken.expect("it is owned").database.expect("it exists").owner, None);
    fleet.operate(Operation::DropDatabase { database: shop }).await.expect("it exists");
    eventually("a purge", || async {
        servers.iter().any(|server| server.shared.purged() == [made.database]).then_some(())
    })
    .await;
    assert!(route(&client, "shop", None).await.is_err());
}

#[tokio::test]
async fn a_new_leader_learns_from_the_owner_and_gives_the_same_route() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    let made = fleet.create("shop").await.expect("a free name");
    let before = route(&fleet.client(), "shop", None).await.expect("a server is up");
    fleet.stop(leader).await;
    let after = route(&fleet.client(), "shop", None).await.expect("another leader knows");
    assert_eq!((after.epoch, after.owner), (before.epoch, before.owner));
    let loads = server.shared.loads();
    assert!(loads.iter().all(|load| *load == (made.database, before.epoch)), "{loads:?}");
}
