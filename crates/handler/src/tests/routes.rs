//! Finding servers (R10, R12, R14, R19, C16).

use model::Epoch;
use rpc::controller::WhyFailed;

use super::{Fleet, Until, client::ask, connect, fleet::until};

#[tokio::test]
async fn a_known_route_is_not_asked_for_again() {
    let fleet = Fleet::start(1).await;
    for _ in 0..5 {
        let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
        assert_eq!(ask(&client, "select server").await, "s1");
    }
    assert_eq!(fleet.controller.with(|table| table.routed.len()), 1);
}

#[tokio::test]
async fn fifty_first_requests_ask_once() {
    let fleet = Fleet::start(1).await;
    let clients =
        futures::future::join_all((0..50).map(|_| connect(&fleet, "h1:1", "shop"))).within("all").await;
    for client in clients {
        assert_eq!(ask(&client.expect("connected"), "select server").await, "s1");
    }
    let routed = fleet.controller.with(|table| table.routed.len());
    assert!(routed < 5, "asked {routed} times");
    assert_eq!(fleet.controller.with(|table| table.databases["shop"].epoch), 2, "assigned once");
}

#[tokio::test]
async fn a_stale_route_is_refused_and_the_client_notices_nothing() {
    let fleet = Fleet::start(2).await;
    let first = connect(&fleet, "h1:1", "shop").await.expect("connected");
    assert_eq!(ask(&first, "select server").await, "s1");
    // Nobody tells this handler.
    fleet.controller.with(|table| table.silent = true);
    let epoch = fleet.controller.with(|table| table.assign("shop", Some(2)));
    let second = connect(&fleet, "h1:1", "shop").await.expect("connected");
    assert_eq!(ask(&second, "select server").await, "s2");
    let hint = fleet.controller.with(|table| table.routed[1].failed).expect("a hint");
    assert_eq!((hint.epoch, hint.why), (Epoch(epoch - 1), WhyFailed::Refused));
    assert_eq!(
        fleet.controller.with(|table| table.databases["shop"].epoch),
        epoch,
        "nothing was moved by it"
    );
}

#[tokio::test]
async fn an_unreachable_server_is_reported_with_the_epoch_used() {
    let fleet = Fleet::start(2).await;
    drop(connect(&fleet, "h1:1", "shop").await.expect("connected"));
    fleet.controller.with(|table| table.silent = true);
    fleet.kill(1);
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    assert_eq!(ask(&client, "select server").await, "s2");
    let hint = fleet.controller.with(|table| table.routed[1].failed).expect("a hint");
    assert_eq!((hint.epoch, hint.why), (Epoch(2), WhyFailed::Unreachable));
}

#[tokio::test]
async fn a_route_is_forgotten_when_the_watch_says_that_it_is_void() {
    let fleet = Fleet::start(2).await;
    drop(connect(&fleet, "h1:1", "shop").await.expect("connected"));
    fleet.controller.with(|table| table.assign("shop", Some(2)));
    let mut tries = 0;
    until("the new owner is used without a detour", || {
        tries += 1;
        fleet.controller.with(|table| table.routed.len()) >= 1
    })
    .await;
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    assert_eq!(ask(&client, "select server").await, "s2");
}

#[tokio::test]
async fn a_name_that_went_to_another_database_leads_to_that_one() {
    let fleet = Fleet::start(1).await;
    drop(connect(&fleet, "h1:1", "shop").await.expect("connected"));
    fleet.controller.with(|table| table.silent = true);
    fleet.controller.with(|table| {
        table.drop_database("shop");
        table.create("shop")
    });
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    assert_eq!(ask(&client, "select server").await, "s1");
    let started = fleet.servers[0].started.lock().expect("no panics").clone();
    assert_eq!(started.last().expect("a session")["database"], "db-2");
}

#[tokio::test]
async fn every_handler_serves_every_database_and_a_rename_disturbs_nobody() {
    let mut fleet = Fleet::start(2).await;
    fleet.add_handler(|settings| settings).await;
    let one = connect(&fleet, "h1:1", "shop").await.expect("connected");
    let admin = connect(&fleet, "h2:1", "stationmaster").await.expect("connected");
    admin.simple_query("alter database shop rename to store").within("renamed").await.expect("renamed");
    assert_eq!(ask(&one, "select server").await, "s1");
    let two = connect(&fleet, "h2:1", "store").await.expect("connected");
    assert_eq!(ask(&two, "select server").await, "s1");
}
