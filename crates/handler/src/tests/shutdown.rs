//! The end of a handler.

use std::time::Duration;

use super::{Fleet, Raw, Until, client::ask, connect};
use crate::Settings;

#[tokio::test]
async fn idle_sessions_are_told_and_working_ones_finish_first() {
    let mut fleet = Fleet::start(1).await;
    let mut idle = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    let mut console = Raw::connect(&fleet, "h1:1", &[("database", "stationmaster")]).await;
    let mut working = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    working.ask("begin").await;
    let mut starting = Raw::open(&fleet, "h1:1");
    wire::startup::ssl(starting.out());
    starting.link.flush().await.expect("sent");
    assert!(starting.link.fill().await.expect("open"));
    starting.link.inbox.clear();
    fleet.shutdown.cancel();
    for raw in [&mut idle, &mut console, &mut starting] {
        assert_eq!(raw.answer().await, ["FATAL 57P01", "closed"]);
    }
    assert_eq!(working.ask("select x").await, ["T", "select x", "SELECT 1", "Z T"]);
    let mut last = working.ask("commit").await;
    last.extend(working.answer().await);
    assert_eq!(last, ["COMMIT", "Z I", "FATAL 57P01", "closed"]);
    let ended = fleet.handlers.remove(0).within("the handler ends").await;
    ended.expect("no panic").expect("no error");
}

#[tokio::test(start_paused = true)]
async fn a_transaction_without_end_is_cut_off_by_the_time_limit() {
    let mut fleet =
        Fleet::start_with(1, |settings| Settings { drain_timeout: Duration::from_secs(3), ..settings }).await;
    let mut raw = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    raw.ask("begin").await;
    fleet.shutdown.cancel();
    assert_eq!(raw.answer().await, ["FATAL 57P01", "closed"]);
    fleet.handlers.remove(0).within("the handler ends").await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn sessions_go_on_while_no_controller_answers() {
    let fleet = Fleet::start(1).await;
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    fleet.net.close("c1:1");
    assert_eq!(ask(&client, "select server").await, "s1");
    let another = connect(&fleet, "h1:1", "shop").await.expect("connected by what is known");
    assert_eq!(ask(&another, "select server").await, "s1");
}

#[tokio::test]
async fn threads_of_its_own_serve_and_end_alike() {
    let mut fleet = Fleet::start_with(1, |settings| Settings { threads: 3, ..settings }).await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
        assert_eq!(ask(&client, "select server").await, "s1");
        clients.push(client);
    }
    let mut idle = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    fleet.shutdown.cancel();
    assert_eq!(idle.answer().await, ["FATAL 57P01", "closed"]);
    let ended = fleet.handlers.remove(0).within("the handler ends").await;
    ended.expect("no panic").expect("no error");
}
