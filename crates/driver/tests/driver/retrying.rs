//! Getting over failures without any directive, and by pushed policies.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use directive::{
    Action, Scope,
    action::{ErrorPolicy, ErrorRule, On, React, Retry},
};
use driver::{Advice, Config, Driver, Effect, Error};

use super::{LONG, Reply, Server, ask, config, connect, until};

/// A script that breaks the connection at the first `times` of requests that begin with `word`.
fn breaking(word: &'static str, times: usize, reply: Reply) -> impl FnMut(&str) -> Reply + Send {
    let mut left = times;
    move |sql| {
        if sql.starts_with(word) && left > 0 {
            left -= 1;
            return reply.clone();
        }
        Reply::Rows(vec!["ok".into()])
    }
}

#[tokio::test]
async fn r72_a_read_whose_answer_was_lost_is_sent_again() {
    let server = Server::start(breaking("SELECT a", 1, Reply::Break)).await;
    let (driver, client) = connect(&server).await;
    assert_eq!(ask(&client, "SELECT a FROM t").await.expect("read again"), "ok");
    assert_eq!(server.count("SELECT a FROM t"), 2);
    assert_eq!(driver.status().counts.repeated, 1);
}

#[tokio::test]
async fn r72_a_write_whose_answer_was_lost_is_not_sent_again_and_says_so() {
    let server = Server::start(breaking("INSERT", 1, Reply::Break)).await;
    let (_, client) = connect(&server).await;
    let error = client.execute("INSERT INTO t VALUES (1)", &[]).await.expect_err("nobody knows");
    assert!(matches!(error, Error::OutcomeUnknown(_)), "{error:?}");
    assert_eq!((error.effect(), error.advice()), (Effect::Unknown, Advice::GiveUp));
    assert_eq!(server.count("INSERT INTO t VALUES (1)"), 1);
    assert_eq!(ask(&client, "SELECT 1").await.expect("the client goes on"), "ok");
}

#[tokio::test]
async fn r72_the_application_may_say_that_a_write_can_be_repeated() {
    let server = Server::start(breaking("UPDATE", 1, Reply::Break)).await;
    let (_, client) = connect(&server).await;
    let touched = client.idempotent().execute("UPDATE t SET a = 1", &[]).await.expect("written again");
    assert_eq!((touched, server.count("UPDATE t SET a = 1")), (1, 2));
}

#[tokio::test]
async fn r72_a_write_that_was_never_sent_is_sent_on_the_next_session() {
    let server = Server::plain().await;
    let (_, client) = connect(&server).await;
    for _ in 0..5 {
        server.break_all();
        client.execute("INSERT INTO t VALUES (1)", &[]).await.expect("it cannot have had an effect");
    }
    assert_eq!(server.count("INSERT INTO t VALUES (1)"), 5);
}

#[tokio::test]
async fn r72_a_rejected_write_is_sent_again_where_the_class_says_so() {
    let server = Server::start(breaking("INSERT", 2, Reply::Error("40001"))).await;
    let (_, client) = connect(&server).await;
    client.execute("INSERT INTO t VALUES (1)", &[]).await.expect("the third one is taken");
    assert_eq!(server.count("INSERT INTO t VALUES (1)"), 3);
}

#[tokio::test]
async fn r72_a_server_that_shuts_down_is_left_for_the_next_session() {
    let server = Server::start(breaking("SELECT a", 1, Reply::Fatal("57P01"))).await;
    let (_, client) = connect(&server).await;
    assert_eq!(ask(&client, "SELECT a").await.expect("on another session"), "ok");
    assert_eq!(server.accepted(), 2);
}

#[tokio::test]
async fn r68_an_unknown_class_is_the_applications() {
    let server = Server::start(breaking("INSERT", 9, Reply::Error("ZZ123"))).await;
    let (_, client) = connect(&server).await;
    let error = client.execute("INSERT INTO t VALUES (1)", &[]).await.expect_err("refused");
    assert_eq!(error.code().expect("a code").code(), "ZZ123");
    assert_eq!(server.count("INSERT INTO t VALUES (1)"), 1);
}

#[tokio::test]
async fn r73_a_pushed_policy_changes_what_is_done_about_errors_until_it_is_over() {
    let server = Server::start(|sql| match sql {
        "UPDATE t SET a = 1" => Reply::Error("ZZ123"),
        _ => Reply::Rows(vec!["ok".into()]),
    })
    .await;
    let (driver, client) = connect(&server).await;
    let policy = |attempts| {
        let on = On::new("ZZ").expect("a class");
        let rule = ErrorRule { on, react: React::Retry, attempts, delay_ms: 1 };
        Action::ErrorPolicy(ErrorPolicy { rules: vec![rule] })
    };
    let mut asked = 0;
    for (action, tries) in [
        (policy(3), 4),
        (policy(1), 2),
        (Action::ErrorPolicy(ErrorPolicy { rules: vec![] }), 1),
        (Action::Retry(Retry { attempts: 5, delay_ms: 1 }), 1),
    ] {
        let id = server.direct(Scope::everything(), 600_000, action.clone());
        server.acknowledgement(&id, |_| true).await;
        client.execute("UPDATE t SET a = 1", &[]).await.expect_err("it stays an error");
        asked += tries;
        assert_eq!(server.count("UPDATE t SET a = 1"), asked, "{action:?} {:?}", driver.status());
    }
}

#[tokio::test]
async fn r67_several_hosts_are_tried_and_a_dead_one_is_left_alone() {
    let (mut first, second) = (Server::plain().await, Server::plain().await);
    let hosts = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} user=alice dbname=shop",
        first.address.port(),
        second.address.port()
    );
    let config = Config { call_timeout: LONG, ..hosts.parse().expect("a connection string") };
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    first.stop().await;
    assert_eq!(ask(&client, "SELECT 1").await.expect("the second answers"), "ok");
    for _ in 0..5 {
        second.break_all();
        ask(&client, "SELECT 1").await.expect("again the second");
    }
    let status = driver.status();
    assert!(status.counts.refused >= 3, "{status:?}");
    assert_eq!(
        status.left_alone.first().map(|one| one.0.clone()),
        Some(first.address.to_string()),
        "{status:?}"
    );
}

#[tokio::test]
async fn r67_a_client_outlasts_a_server_that_is_away_for_a_while() {
    let mut server = Server::plain().await;
    let (driver, client) = connect(&server).await;
    client.batch_execute("SET app.zone = 'b'").await.expect("set");
    let statement = client.prepare("SELECT $1").await.expect("prepared");
    let address = server.address;
    server.stop().await;
    let waiting = tokio::spawn({
        let (client, statement) = (client.clone(), statement.clone());
        async move { client.query_one(&statement, &[&"x"]).await.map(|row| row.get::<_, String>(0)) }
    });
    until(|| driver.status().counts.refused > 1, || format!("{:?}", driver.status())).await;
    let server = Server::start_at(address, |_| Reply::Rows(vec!["back".into()])).await;
    assert_eq!(waiting.await.expect("no panic").expect("answered"), "back");
    assert_eq!(ask(&client, "SHOW app.zone").await.expect("shown"), "b");
    assert_eq!(server.count("PARSE SELECT $1"), 1, "{:?}", server.log());
}

#[tokio::test]
async fn r67_a_refused_login_is_said_at_once() {
    let server = Server::plain().await;
    *server.inner.refusing.lock().expect("no panics") = Some("28P01");
    let error = Driver::new(config(&server)).expect("a driver").connect().await.err().expect("refused");
    assert_eq!(error.code().expect("a code").code(), "28P01");
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn s2_what_went_with_a_session_is_said_once() {
    let server = Server::plain().await;
    let (_, client) = connect(&server).await;
    for (sql, what) in
        [("LISTEN x", "channels listened to"), ("CREATE TEMP TABLE a (b int)", "temporary tables")]
    {
        client.batch_execute(sql).await.expect("done");
        server.break_all();
        let error = ask(&client, "SELECT 1").await.expect_err("it is not the same session");
        assert!(matches!(&error, Error::SessionLost { what: said } if *said == what), "{error:?}");
        assert_eq!(error.advice(), Advice::Retry);
        ask(&client, "SELECT 1").await.expect("a new session");
    }
    client.batch_execute("BEGIN").await.expect("begun");
    server.break_all();
    let error = ask(&client, "SELECT 1").await.expect_err("the transaction is gone");
    assert!(matches!(error, Error::SessionLost { .. } | Error::TransactionLost(_)), "{error:?}");
    ask(&client, "SELECT 1").await.expect("a new session");
}

#[tokio::test]
async fn s2_a_transaction_is_repeated_as_a_whole_or_not_at_all() {
    let tries = Arc::new(AtomicUsize::new(0));
    let server = Server::start(breaking("INSERT", 2, Reply::Break)).await;
    let (_, mut client) = connect(&server).await;
    let counted = tries.clone();
    let done = client
        .run(async |transaction| {
            counted.fetch_add(1, Ordering::SeqCst);
            transaction.execute("INSERT INTO t VALUES (1)", &[]).await
        })
        .await;
    assert_eq!((done.expect("the third is kept"), tries.load(Ordering::SeqCst)), (1, 3));
    assert_eq!(server.count("COMMIT"), 1);

    let server = Server::start(breaking("COMMIT", 1, Reply::Break)).await;
    let (_, mut client) = connect(&server).await;
    let done =
        client.run(async |transaction| transaction.execute("INSERT INTO t VALUES (1)", &[]).await).await;
    assert!(matches!(done, Err(Error::OutcomeUnknown(_))), "{done:?}");
    assert_eq!(server.count("INSERT INTO t VALUES (1)"), 1);
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back_and_a_failed_one_is_not_called_kept() {
    let server = Server::start(breaking("UPDATE", 1, Reply::Error("23505"))).await;
    let (_, mut client) = connect(&server).await;
    let transaction = client.transaction().await.expect("begun");
    transaction.execute("INSERT INTO t VALUES (1)", &[]).await.expect("done");
    drop(transaction);
    ask(&client, "SELECT 1").await.expect("after the rollback");
    assert_eq!(
        server.log().iter().filter(|sql| !sql.starts_with("PARSE")).collect::<Vec<_>>(),
        ["BEGIN", "INSERT INTO t VALUES (1)", "ROLLBACK", "SELECT 1"]
    );
    let transaction = client.transaction().await.expect("begun");
    let error = transaction.execute("UPDATE t SET a = 1", &[]).await.expect_err("a constraint");
    assert_eq!(error.effect(), Effect::None);
    transaction.rollback().await.expect("rolled back");
}

#[tokio::test]
async fn a_call_is_over_by_its_deadline_and_a_silent_server_is_left() {
    let server = Server::start(breaking("SELECT a", 1, Reply::Stall)).await;
    let (_, client) = connect(&server).await;
    let sql = "SELECT a FROM t";
    // Time enough to be asked on a slow machine; the server never answers.
    let error = ask(&client.within(Duration::from_secs(5)), sql).await.expect_err("late");
    assert!(matches!(error, Error::Deadline { effect: Effect::None, .. }), "{error:?}");
    assert_eq!(ask(&client, sql).await.expect("on another session"), "ok");
    assert_eq!(server.started().len(), 2);
}
