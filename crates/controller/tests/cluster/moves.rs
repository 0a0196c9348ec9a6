//! Planned moves: the owner lets go, the map changes, the new one loads, and a leader may die between any two of
//! these (R27).

use std::collections::BTreeMap;

use futures::future::join_all;
use model::{DatabaseId, Epoch, RequestId};
use rpc::controller::{Consistency, DatabaseRef, Operated, Operation, Route, RouteFailed, WhyFailed};

use crate::{
    fleet::{Fleet, eventually, look_up, route},
    server::{Held, Server},
};

/// Two servers and a database that is loaded on the first of the two returned.
async fn scene(fleet: &Fleet) -> (Server, Server, DatabaseId, Route) {
    let first = Server::start(fleet, "s1", 1).await;
    let second = Server::start(fleet, "s2", 2).await;
    let made = fleet.create("shop").await.expect("a free name");
    let served = route(&fleet.client(), "shop", None).await.expect("both are up");
    let (owner, other) = if served.address == "s1:1" { (first, second) } else { (second, first) };
    (owner, other, made.database, served)
}

fn to(server: &Server) -> Operation {
    let server = if server.shared.incarnation.0 == 1 { "s1" } else { "s2" };
    Operation::MoveDatabase { database: DatabaseRef::Name("shop".into()), server: server.into() }
}

fn refused(route: &Route) -> Option<RouteFailed> {
    Some(RouteFailed { epoch: route.epoch, why: WhyFailed::Refused })
}

/// Moves in the background.
fn moving(fleet: &Fleet, target: &Server) -> tokio::task::JoinHandle<Result<Operated, rpc::Error>> {
    let (client, operation) = (fleet.client(), to(target));
    tokio::spawn(async move { client.operate(RequestId(1), operation).await })
}

#[tokio::test]
async fn a_moved_database_is_let_go_of_first_and_loaded_before_the_operator_hears_of_it_r27() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let (owner, target, database, before) = scene(&fleet).await;
    let moved = fleet.operate(to(&target)).await.expect("both are up").database.expect("it exists");
    assert_eq!(moved.epoch, before.epoch.next());
    assert_eq!(owner.shared.released(), [database]);
    assert_eq!(owner.shared.serving(), BTreeMap::new());
    assert_eq!(target.shared.loads(), [(database, moved.epoch)]);
    let after = route(&fleet.client(), "shop", refused(&before)).await.expect("it is served");
    assert_eq!((after.epoch, after.owner.server), (moved.epoch, target.registered.server));
    fleet.operate(to(&target)).await.expect("again, which changes nothing");
    assert_eq!(owner.shared.released(), [database]);
}

#[tokio::test]
async fn routes_asked_for_during_a_move_wait_and_lead_to_the_new_owner() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let (owner, target, database, before) = scene(&fleet).await;
    owner.shared.hold(Held::Releases);
    let moved = moving(&fleet, &target);
    eventually("the owner to let go", || async { (owner.shared.released() == [database]).then_some(()) })
        .await;
    let client = fleet.client();
    let asking = join_all((0..20).map(|_| route(&client, "shop", refused(&before))));
    let let_go = async { owner.shared.hold(Held::Nothing) };
    let (routes, ()) = tokio::join!(asking, let_go);
    for route in routes {
        assert_eq!(route.expect("it is served").owner.server, target.registered.server);
    }
    moved.await.expect("no panic").expect("both are up");
    assert_eq!(owner.shared.loads(), [(database, before.epoch)], "nobody asked the old owner again");
    assert_eq!(target.shared.loads(), [(database, before.epoch.next())]);
}

#[tokio::test]
async fn nothing_is_taken_from_an_owner_for_a_target_that_does_not_answer() {
    let fleet = Fleet::tuned(1, |settings| settings.lease = std::time::Duration::from_secs(60));
    fleet.leader().await;
    let (owner, target, database, before) = scene(&fleet).await;
    let operation = to(&target);
    target.kill().await;
    let refusal = fleet.operate(operation).await.expect_err("it is dead").to_string();
    assert!(refusal.contains("does not answer"), "{refusal}");
    assert_eq!(owner.shared.released(), []);
    assert_eq!(owner.shared.serving(), BTreeMap::from([(database, before.epoch)]));
}

#[tokio::test]
async fn a_target_that_cannot_load_it_is_named_and_the_database_is_served_all_the_same() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let (owner, target, database, before) = scene(&fleet).await;
    target.shared.fail();
    let refusal = fleet.operate(to(&target)).await.expect_err("its disk is on fire");
    assert!(refusal.to_string().contains("could not load"), "{refusal}");
    assert_eq!(refusal.effect(), rpc::Effect::Unknown, "it had been given to the target");
    let after = route(&fleet.client(), "shop", refused(&before)).await.expect("it is served");
    assert!(after.epoch > before.epoch);
    assert_eq!(after.owner.server, owner.registered.server);
    assert_eq!(owner.shared.serving(), BTreeMap::from([(database, after.epoch)]));
}

/// However the leader died, exactly one server has the database under the epoch of the map, and moving it works.
async fn healed(fleet: &Fleet, servers: [&Server; 2], database: DatabaseId, before: &Route) {
    let client = fleet.client();
    let served = route(&client, "shop", refused(before)).await.expect("another leader goes on");
    assert!(served.epoch > before.epoch, "the old epoch is used up");
    let owned = look_up(&client, "shop", Consistency::Linearizable).await.expect("it exists");
    assert_eq!((owned.epoch, owned.owner.expect("it is owned").tenure), (served.epoch, served.owner));
    let serving: Vec<Epoch> =
        servers.iter().filter_map(|server| server.shared.serving().get(&database).copied()).collect();
    assert_eq!(serving, [served.epoch], "one server has it, under the epoch of the map");
    let target = servers[1];
    let moved = fleet.operate(to(target)).await.expect("the operator tries again").database;
    let owner = moved.expect("it exists").owner.expect("it is owned").tenure.server;
    assert_eq!(owner, target.registered.server);
}

#[tokio::test]
async fn a_leader_that_dies_after_the_release_leaves_a_map_that_is_right_r27() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let (owner, target, database, before) = scene(&fleet).await;
    owner.shared.hold(Held::Releases);
    let moved = moving(&fleet, &target);
    eventually("the owner to let go", || async { (owner.shared.released() == [database]).then_some(()) })
        .await;
    moved.abort();
    fleet.kill(leader);
    owner.shared.hold(Held::Nothing);
    healed(&fleet, [&owner, &target], database, &before).await;
}

#[tokio::test]
async fn a_leader_that_dies_after_the_assignment_leaves_a_map_that_is_right_r27() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let (owner, target, database, before) = scene(&fleet).await;
    target.shared.hold(Held::Loads);
    let moved = moving(&fleet, &target);
    let client = fleet.client();
    eventually("the map to change", || async {
        let found = look_up(&client, "shop", Consistency::Linearizable).await.expect("it exists");
        (found.epoch > before.epoch).then_some(())
    })
    .await;
    moved.abort();
    fleet.kill(leader);
    target.shared.hold(Held::Nothing);
    healed(&fleet, [&owner, &target], database, &before).await;
    assert_eq!(target.shared.serving(), BTreeMap::from([(database, before.epoch.next())]));
}
