//! Sessions whose server goes away (R4, R18, R19).

use std::time::Duration;

use wire::frontend::{self, Target};

use super::{
    Fleet, Raw, Until,
    client::{ask, code, fails},
    connect,
    fleet::until,
    server::Say,
};
use crate::Settings;

/// A session on `shop`, on the server with the lower number.
async fn session(fleet: &Fleet) -> Raw {
    let raw = Raw::connect(fleet, "h1:1", &[("database", "shop"), ("application_name", "test")]).await;
    assert_eq!(fleet.controller.with(|table| table.databases["shop"].owner), Some(1));
    raw
}

/// The database goes to server 2, and server 1 says so.
fn move_to_2(fleet: &Fleet) {
    fleet.controller.with(|table| table.assign("shop", Some(2)));
    fleet.servers[0].say(Say::Moved);
}

#[tokio::test]
async fn an_idle_session_notices_nothing_of_a_move_a_shutdown_or_a_crash() {
    for how in [Say::Moved, Say::Shutdown, Say::Break] {
        let fleet = Fleet::start(2).await;
        let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
        assert_eq!(ask(&client, "select server").await, "s1");
        if how == Say::Break {
            fleet.kill(1);
        } else {
            fleet.controller.with(|table| table.assign("shop", Some(2)));
            fleet.servers[0].say(how);
        }
        until("the session has ended there", || *fleet.servers[0].sessions.borrow() == 0).await;
        assert_eq!(ask(&client, "select server").await, "s2", "{how:?}");
    }
}

#[tokio::test]
async fn a_server_put_away_the_database_and_the_next_request_brings_it_back() {
    let fleet = Fleet::start(1).await;
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    for _ in 0..3 {
        fleet.controller.with(|table| table.assign("shop", None));
        fleet.servers[0].say(Say::Moved);
        until("the session has ended there", || *fleet.servers[0].sessions.borrow() == 0).await;
        assert_eq!(ask(&client, "select server").await, "s1");
    }
}

#[tokio::test]
async fn settings_and_prepared_statements_move_along() {
    let fleet = Fleet::start(2).await;
    let mut raw = session(&fleet).await;
    raw.ask("set a = one").await;
    raw.ask("set b = two").await;
    raw.ask("set a = three").await;
    raw.ask("reset b").await;
    raw.ask("set TimeZone = 'Europe/Vienna'").await;
    for (name, sql) in [("kept", "select kept"), ("closed", "select closed"), ("failed", "bad")] {
        frontend::parse(raw.out(), name, sql, &[]).expect("short");
        frontend::sync(raw.out());
        raw.answer().await;
    }
    frontend::close(raw.out(), Target::Statement("closed")).expect("short");
    frontend::sync(raw.out());
    raw.answer().await;
    move_to_2(&fleet);

    assert_eq!(raw.ask("select setting a").await, ["server_name=s2", "T", "three", "SELECT 1", "Z I"]);
    assert_eq!(raw.ask("select setting b").await[1], "unset");
    for (name, expected) in [("kept", "select kept"), ("closed", "ERROR 26000"), ("failed", "ERROR 26000")] {
        frontend::bind(raw.out(), "", name, (&[], &[]), &[]).expect("short");
        frontend::execute(raw.out(), "", 0).expect("short");
        frontend::sync(raw.out());
        let answer = raw.answer().await;
        assert!(answer.contains(&expected.to_owned()), "{name}: {answer:?}");
    }
    let log = fleet.servers[1].log();
    assert!(
        log.iter().any(|sql| sql.to_lowercase().contains("timezone") && sql.contains("Vienna")),
        "{log:?}"
    );
    let started = fleet.servers[1].started.lock().expect("no panics").clone();
    assert_eq!(started[0].get("application_name").map(String::as_str), Some("test"));
}

#[tokio::test]
async fn a_request_that_the_old_owner_did_not_begin_is_done_by_the_new_one() {
    let fleet = Fleet::start(2).await;
    let mut raw = session(&fleet).await;
    fleet.controller.with(|table| table.silent = true);
    fleet.controller.with(|table| table.assign("shop", Some(2)));
    assert_eq!(raw.ask("move").await.last().map(String::as_str), Some("Z I"), "by query");
    assert_eq!(fleet.servers[1].log(), ["move"]);

    let fleet = Fleet::start(2).await;
    let mut raw = session(&fleet).await;
    fleet.controller.with(|table| table.assign("shop", Some(2)));
    frontend::parse(raw.out(), "", "move", &[]).expect("short");
    frontend::bind(raw.out(), "", "", (&[], &[]), &[]).expect("short");
    frontend::execute(raw.out(), "", 0).expect("short");
    frontend::sync(raw.out());
    // Part of its answer was on its way.
    assert_eq!(raw.answer().await, ["1", "2", "server_name=s2", "OK", "Z I"]);
}

#[tokio::test]
async fn a_request_that_every_server_sends_back_fails_in_the_end() {
    let fleet = Fleet::start(2).await;
    let mut raw = session(&fleet).await;
    let answer = raw.ask("bounce").await;
    assert!(answer.ends_with(&["ERROR 57P03".into(), "Z I".into()]), "{answer:?}");
    let answer = raw.ask("select after").await;
    assert_eq!(answer.last().map(String::as_str), Some("Z I"), "the session goes on: {answer:?}");
}

#[tokio::test]
async fn a_request_that_may_have_been_done_is_reported_and_never_repeated() {
    let fleet = Fleet::start(2).await;
    fleet.controller.with(|table| table.forgetful = true);
    let mut raw = session(&fleet).await;
    fleet.controller.with(|table| table.assign("shop", Some(2)));
    assert_eq!(raw.ask("break").await, ["ERROR 40003", "Z I"]);
    assert!(fleet.servers[1].log().is_empty());
    let answer = raw.ask("select server").await;
    assert!(answer.contains(&"s2".to_owned()), "the session goes on: {answer:?}");
    raw.query("wait").query("insert").query("insert");
    raw.link.flush().await.expect("sent");
    until("the request is under way", || fleet.servers[1].log().contains(&"wait".to_owned())).await;
    fleet.controller.with(|table| table.assign("shop", Some(1)));
    fleet.servers[1].say(Say::Break);
    let first = raw.answer().await;
    assert!(first.ends_with(&["ERROR 40003".into(), "Z I".into()]), "{first:?}");
    for _ in 0..2 {
        assert_eq!(raw.answer().await, ["ERROR 40003", "Z I"], "all that were in flight");
    }
    assert!(raw.ask("select server").await.contains(&"s1".to_owned()));
    assert!(!fleet.servers[0].log().contains(&"insert".to_owned()));
}

#[tokio::test]
async fn a_request_that_hangs_on_a_server_goes_on_elsewhere_once_that_one_is_declared_dead_r18() {
    let fleet = Fleet::start(2).await;
    let mut raw = session(&fleet).await;
    raw.query("wait");
    raw.link.flush().await.expect("sent");
    until("the request is under way", || fleet.servers[0].log().contains(&"wait".to_owned())).await;
    // Its connections stay open, and it never says a word.
    fleet.controller.with(|table| {
        table.assign("shop", Some(2));
        table.depart(1);
    });
    until("the other has it", || fleet.servers[1].log().contains(&"wait".to_owned())).await;
    fleet.servers[1].go.notify_one();
    let answer = raw.answer().await;
    assert!(answer.last().is_some_and(|last| last == "Z I"), "{answer:?}");
    assert!(raw.ask("select server").await.contains(&"s2".to_owned()));
}

#[tokio::test]
async fn a_series_in_flight_fails_up_to_its_sync_where_nobody_can_tell() {
    let fleet = Fleet::start(2).await;
    fleet.controller.with(|table| table.forgetful = true);
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    let statement = client.prepare("wait").within("prepared").await.expect("prepared");
    let waiting = client.execute(&statement, &[]);
    let cut = async {
        until("it waits", || fleet.servers[0].log().contains(&"wait".to_owned())).await;
        fleet.kill(1);
    };
    let (result, ()) = tokio::join!(waiting.within("an answer"), cut);
    assert_eq!(code(&result.expect_err("cut")), "40003");
}

#[tokio::test]
async fn an_open_transaction_fails_as_a_whole_and_the_session_goes_on() {
    for cut in [Say::Moved, Say::Break] {
        let fleet = Fleet::start(2).await;
        let mut raw = session(&fleet).await;
        frontend::parse(raw.out(), "end", "commit", &[]).expect("short");
        frontend::sync(raw.out());
        raw.answer().await;
        assert_eq!(raw.ask("begin").await, ["BEGIN", "Z T"]);
        fleet.controller.with(|table| table.assign("shop", Some(2)));
        fleet.servers[0].say(cut);
        until("the session has ended there", || *fleet.servers[0].sessions.borrow() == 0).await;
        assert_eq!(raw.ask("insert").await, ["ERROR 40001", "Z E"], "{cut:?}");
        assert_eq!(raw.ask("insert").await, ["ERROR 25P02", "Z E"]);
        frontend::bind(raw.out(), "", "end", (&[], &[]), &[]).expect("short");
        frontend::execute(raw.out(), "", 0).expect("short");
        frontend::sync(raw.out());
        assert_eq!(raw.answer().await, ["2", "ROLLBACK", "Z I"], "a prepared COMMIT ends it");
        assert!(raw.ask("select server").await.contains(&"s2".to_owned()));
        assert!(!fleet.servers[1].log().contains(&"insert".to_owned()));
    }
}

#[tokio::test]
async fn a_transaction_cut_at_commit_is_unknown_and_before_it_is_not() {
    for (last, expected) in [("break", ["ERROR 40001", "Z E"]), ("commit -- break", ["ERROR 40003", "Z I"])] {
        let fleet = Fleet::start(1).await;
        fleet.controller.with(|table| table.forgetful = true);
        let mut raw = session(&fleet).await;
        raw.ask("begin").await;
        assert_eq!(raw.ask(last).await, expected, "{last}");
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_moved_is_ended_with_the_reason() {
    let fleet = Fleet::start(2).await;
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    ask(&client, "select 1; create temp table t (a int)").await;
    move_to_2(&fleet);
    let error = async {
        loop {
            if let Err(error) = client.simple_query("select 1").await {
                return error;
            }
        }
    };
    let error = error.within("the session ends").await;
    assert!(error.is_closed() || code(&error) == "57P01", "{error:?}");
}

#[tokio::test]
async fn a_cut_in_the_middle_of_a_message_ends_the_session() {
    let fleet = Fleet::start(2).await;
    let mut raw = session(&fleet).await;
    raw.query("half");
    while let Some((tag, _)) = raw.frame().await {
        assert_ne!(tag, b'E', "nothing may follow half a message");
    }
}

#[tokio::test]
async fn while_nobody_serves_the_request_fails_and_the_session_waits_for_better_times() {
    let attach_timeout = Duration::from_millis(200);
    let fleet = Fleet::start_with(1, |settings| Settings { attach_timeout, ..settings }).await;
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    fleet.kill(1);
    until("the session has ended there", || *fleet.servers[0].sessions.borrow() == 0).await;
    assert_eq!(fails(&client, "select 1").await, "57P03");
    let listener = fleet.net.listen("s2:1");
    let secret = rpc::Secret::new([7; 32]);
    super::server::Server::start(2, secret, fleet.controller.clone(), listener);
    fleet.controller.with(|table| table.servers.insert(2, "s2:1".into()));
    assert_eq!(ask(&client, "select server").await, "s2");
}

#[tokio::test]
async fn a_dropped_database_ends_its_sessions_by_name() {
    let fleet = Fleet::start(1).await;
    let client = connect(&fleet, "h1:1", "shop").await.expect("connected");
    fleet.controller.with(|table| table.drop_database("shop"));
    fleet.servers[0].say(Say::Moved);
    until("the session has ended there", || *fleet.servers[0].sessions.borrow() == 0).await;
    assert_eq!(fails(&client, "select 1").await, "3D000");
}
