//! Requests that take longer than their database allows (R20, R21).

use rpc::time_limit::Overrun;
use wire::frontend;

use super::{Fleet, Raw, connect};

/// A fleet whose database `shop` has a limit, and a session on it, on the first server.
async fn session(servers: u32, limit: &str) -> (Fleet, Raw) {
    let fleet = Fleet::start(servers).await;
    fleet.controller.with(|table| table.limit("shop", limit));
    let raw = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    assert_eq!(fleet.controller.with(|table| table.databases["shop"].owner), Some(1));
    (fleet, raw)
}

fn overruns(fleet: &Fleet) -> Vec<Overrun> {
    fleet.controller.with(|table| table.overruns.clone())
}

/// How often the servers were given a statement.
fn given(fleet: &Fleet, sql: &str) -> Vec<usize> {
    let count = |log: Vec<String>| log.iter().filter(|line| *line == sql).count();
    fleet.servers.iter().map(|server| count(server.log())).collect()
}

#[tokio::test]
async fn a_slow_query_is_ended_at_its_server_and_fails_with_57014_r20() {
    let (fleet, mut raw) = session(2, "100ms").await;
    assert_eq!(raw.ask("poison").await, ["ERROR 57014", "Z I"]);
    assert_eq!(fleet.servers[0].log().last().map(String::as_str), Some("ended"));
    assert_eq!(raw.ask("select 1").await, ["T", "select 1", "SELECT 1", "Z I"], "the session goes on");
    let [overrun] = overruns(&fleet)[..] else { panic!("one overrun") };
    assert!(overrun.confirmed && overrun.repeatable && overrun.elapsed_ms >= overrun.limit_ms, "{overrun:?}");
    assert_eq!((overrun.limit_ms, overrun.repeats), (100, 0));
    assert_eq!(given(&fleet, "poison"), [1, 0]);
}

#[tokio::test]
async fn the_client_is_told_the_limit_and_the_evidence() {
    let (fleet, _raw) = session(1, "100ms").await;
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    let error = client.simple_query("poison").await.expect_err("it takes too long");
    let error = error.as_db_error().expect("the handler says so");
    assert_eq!(error.message(), "canceling statement due to the database's time limit");
    assert_eq!(error.detail(), Some("It took longer than 100 ms; so it was found."));
}

#[tokio::test]
async fn what_a_slow_server_did_not_do_in_time_is_answered_by_another_r21() {
    let (fleet, mut raw) = session(2, "100ms").await;
    fleet.controller.with(|table| table.blames_servers = true);
    assert_eq!(raw.ask("slow").await, ["server_name=s2", "T", "s2", "SELECT 1", "Z I"]);
    assert_eq!(given(&fleet, "slow"), [1, 1]);
    assert_eq!(fleet.servers[0].log().last().map(String::as_str), Some("ended"), "gone there first");
    assert_eq!(raw.ask("select server").await[1], "s2");
}

#[tokio::test]
async fn so_is_a_prepared_statement() {
    let (fleet, mut raw) = session(2, "100ms").await;
    fleet.controller.with(|table| table.blames_servers = true);
    frontend::parse(raw.out(), "kept", "slow", &[]).expect("short");
    frontend::sync(raw.out());
    raw.answer().await;
    frontend::bind(raw.out(), "", "kept", (&[], &[]), &[]).expect("short");
    frontend::execute(raw.out(), "", 0).expect("short");
    frontend::sync(raw.out());
    // The client had read that it was bound, and is not told so again.
    assert_eq!(raw.answer().await, ["2", "server_name=s2", "s2", "SELECT 1", "Z I"]);
}

#[tokio::test]
async fn a_server_that_does_not_end_it_loses_the_database_and_the_next_one_settles_it_r21() {
    let (fleet, mut raw) = session(2, "100ms").await;
    fleet.controller.with(|table| table.blames_servers = true);
    assert_eq!(raw.ask("deaf").await, ["server_name=s2", "T", "s2", "SELECT 1", "Z I"]);
    let [overrun] = overruns(&fleet)[..] else { panic!("one overrun") };
    assert!(!overrun.confirmed, "{overrun:?}");
}

#[tokio::test]
async fn a_server_that_does_not_end_it_and_keeps_the_database_leaves_it_unknown() {
    let (fleet, mut raw) = session(2, "100ms").await;
    assert_eq!(raw.ask("deaf").await, ["ERROR 40003", "Z I"]);
    assert_eq!(given(&fleet, "deaf"), [1, 0]);
    assert!(
        raw.ask("select server").await.contains(&"s1".into()),
        "the session goes on, on a new connection"
    );
}

#[tokio::test]
async fn in_a_transaction_it_fails_the_transaction_and_is_not_provided_again_r21() {
    let (fleet, mut raw) = session(2, "100ms").await;
    fleet.controller.with(|table| table.blames_servers = true);
    raw.ask("begin").await;
    assert_eq!(raw.ask("poison").await, ["ERROR 57014", "Z E"]);
    assert!(overruns(&fleet).iter().all(|overrun| !overrun.repeatable));
    assert_eq!(given(&fleet, "poison"), [1, 0]);
    assert_eq!(raw.ask("rollback").await, ["ROLLBACK", "Z I"]);
}

#[tokio::test]
async fn what_waits_behind_it_is_done_and_it_is_not_provided_again() {
    let (fleet, mut raw) = session(2, "100ms").await;
    fleet.controller.with(|table| table.blames_servers = true);
    raw.query("poison").query("select 1");
    assert_eq!(raw.answer().await, ["ERROR 57014", "Z I"]);
    assert_eq!(raw.answer().await, ["T", "select 1", "SELECT 1", "Z I"]);
    assert_eq!(given(&fleet, "poison"), [1, 0]);
}

#[tokio::test]
async fn a_poison_query_is_provided_again_twice_and_then_fails_r21() {
    let (fleet, mut raw) = session(4, "100ms").await;
    fleet.controller.with(|table| table.blames_servers = true);
    let answer = raw.ask("poison").await;
    assert_eq!(answer[answer.len() - 2..], ["ERROR 57014", "Z I"], "{answer:?}");
    assert_eq!(overruns(&fleet).iter().map(|overrun| overrun.repeats).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(given(&fleet, "poison").iter().sum::<usize>(), 3);
}

#[tokio::test]
async fn quick_requests_are_never_ended_and_speak_for_the_server() {
    let (fleet, mut raw) = session(1, "2s").await;
    let mut other = Raw::connect(&fleet, "h1:1", &[("database", "shop")]).await;
    raw.query("poison");
    raw.link.flush().await.expect("sent");
    super::fleet::until("it runs", || fleet.servers[0].log().iter().any(|sql| sql == "poison")).await;
    for _ in 0..20 {
        assert_eq!(other.ask("select 1").await, ["T", "select 1", "SELECT 1", "Z I"]);
    }
    assert_eq!(raw.answer().await, ["ERROR 57014", "Z I"]);
    let [overrun] = overruns(&fleet)[..] else { panic!("one overrun") };
    assert!(overrun.quick >= 1, "{overrun:?}");
}

#[tokio::test]
async fn a_session_that_is_there_heeds_a_new_limit() {
    let (fleet, mut raw) = session(1, "none").await;
    assert_eq!(raw.ask("select 1").await.len(), 4);
    fleet.controller.with(|table| table.limit("shop", "100ms"));
    // The watch brings it in a moment; a statement that came too early has to be ended by hand.
    let mut answer = Vec::new();
    while answer != ["ERROR 57014", "Z I"] || overruns(&fleet).is_empty() {
        raw.query("slow");
        raw.link.flush().await.expect("sent");
        let patience = std::time::Duration::from_millis(500);
        match tokio::time::timeout(patience, raw.answer()).await {
            Ok(told) => answer = told,
            Err(_) => {
                fleet.servers[0].cancel_all();
                answer = raw.answer().await;
            }
        }
    }
}
