//! The server on its real engine, with an ordinary driver, over pipes and over real sockets.

use std::{sync::Arc, time::Duration};

use rpc::Dial as _;
use server::engine::{SystemClock, sqlite::SqliteEngine};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::support::{
    eventually,
    fleet::{Fleet, Running, code},
};

fn sqlite() -> Fleet {
    let engine = SqliteEngine::new(Arc::new(SystemClock::start()), 0);
    Fleet { engine: Arc::new(engine), ..Fleet::new() }
}

/// The only value of the only row.
async fn value(client: &Client, sql: &str) -> String {
    let messages = client.simple_query(sql).await.expect("read");
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _other => None,
    });
    row.expect("a row")
}

async fn count(client: &Client, rest: &str) -> i64 {
    value(client, &format!("select count(*) from {rest}")).await.parse().expect("a number")
}

async fn loaded(fleet: &Fleet) -> Running {
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    server
}

#[tokio::test]
async fn rows_survive_putting_away_and_loading_again() {
    let fleet = sqlite();
    let server = loaded(&fleet).await;
    let client = server.connect(1, 1).await;
    client.batch_execute("create table t (id integer primary key, name text)").await.expect("made");
    for id in 0..100 {
        let name = "x".repeat(500);
        client.batch_execute(&format!("insert into t values ({id}, '{name}')")).await.expect("inserted");
    }
    server.release(1, 1, 0).await.expect("put away");
    server.load(1, 2).await.expect("loads");
    let client = server.connect(1, 2).await;
    assert_eq!(count(&client, "t").await, 100);
    client.execute("delete from t where id >= 50", &[]).await.expect("deleted");
    drop(client);
    server.release(1, 2, 0).await.expect("put away");
    server.load(1, 3).await.expect("loads");
    assert_eq!(count(&server.connect(1, 3).await, "t").await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_row_is_there_after_a_crash_under_load() {
    let fleet = sqlite();
    let server = loaded(&fleet).await;
    let client = server.connect(1, 1).await;
    client.batch_execute("create table t (writer int, n int, primary key (writer, n))").await.expect("made");
    let writers: Vec<_> = futures::future::join_all((0..8).map(|_| server.connect(1, 1))).await;
    let writing: Vec<_> = writers
        .into_iter()
        .enumerate()
        .map(|(writer, client)| {
            tokio::spawn(async move {
                let mut acknowledged = 0i64;
                let insert = |n| format!("insert into t values ({writer}, {n})");
                while client.batch_execute(&insert(acknowledged)).await.is_ok() {
                    acknowledged += 1;
                }
                acknowledged
            })
        })
        .collect();
    eventually("some rows", async || match count(&client, "t").await {
        rows if rows > 200 => Ok(()),
        rows => Err(rows),
    })
    .await;
    server.kill().await;
    let acknowledged = futures::future::join_all(writing).await;
    let second = fleet.start("s2").await;
    second.load(1, 2).await.expect("loads");
    let client = second.connect(1, 2).await;
    for (writer, acknowledged) in acknowledged.into_iter().enumerate() {
        let acknowledged = acknowledged.expect("no panic");
        let there = count(&client, &format!("t where writer = {writer} and n < {acknowledged}")).await;
        assert_eq!(there, acknowledged, "writer {writer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fenced_owner_loses_its_commit_and_nobody_is_told_otherwise() {
    let fleet = sqlite();
    let (old, new) = (loaded(&fleet).await, fleet.start("s2").await);
    let client = old.connect(1, 1).await;
    client.batch_execute("create table t (id int primary key)").await.expect("made");
    client.batch_execute("begin; insert into t values (1)").await.expect("inserted");
    new.load(1, 2).await.expect("takes over");
    let error = client.batch_execute("commit").await.expect_err("fenced");
    assert_eq!(code(&error), "SM001");
    assert_eq!(count(&new.connect(1, 2).await, "t").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_without_end_is_cancelled_and_the_session_goes_on() {
    let fleet = sqlite();
    let server = loaded(&fleet).await;
    let client = server.connect(1, 1).await;
    let cancel = client.cancel_token();
    let forever = "with recursive g(i) as (select 1 union all select i + 1 from g) select count(*) from g";
    let running = tokio::spawn(async move { (client.query(forever, &[]).await, client) });
    eventually("cancelled", async || {
        cancel.cancel_query_raw(server.dial().await, NoTls).await.expect("sent");
        if running.is_finished() { Ok(()) } else { Err("running") }
    })
    .await;
    let (result, client) = running.await.expect("no panic");
    assert_eq!(code(&result.expect_err("cancelled")), "57014");
    // A cancel request is on a connection of its own: the last one may come late, and is then the next statement's.
    eventually("it goes on", async || client.batch_execute("select 1").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_of_rows_arrive() {
    let fleet = sqlite();
    let server = loaded(&fleet).await;
    let client = server.connect(1, 1).await;
    let sql = "with recursive g(i) as (select 1 union all select i + 1 from g where i < 10000)
        select i, hex(zeroblob(500)) as filler from g";
    let rows = client.query(sql, &[]).await.expect("rows");
    assert_eq!(rows.len(), 10_000);
    assert!(rows.iter().all(|row| row.get::<_, String>(1).len() == 1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_over_real_sockets_write_side_by_side() {
    let fleet = sqlite();
    let server = loaded(&fleet).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let relayed = async {
        loop {
            let (mut socket, _) = listener.accept().await.expect("a client");
            let (stream, greeting) = server.raw(1, 1).await;
            let mut near = crate::support::client::relay(stream, greeting);
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut socket, &mut near).await });
        }
    };
    let clients = async {
        let connect = async || {
            let stream = rpc::TcpDial.dial(&address).await.expect("it listens");
            let mut config = tokio_postgres::Config::new();
            config.user("alice").dbname("shop");
            let (client, connection) = config.connect_raw(stream, NoTls).await.expect("logged in");
            tokio::spawn(connection);
            client
        };
        let first = connect().await;
        first
            .batch_execute("create table counter (n int); insert into counter values (0)")
            .await
            .expect("made");
        let adders = (0..10).map(|_| async {
            let mut client = connect().await;
            for _ in 0..20 {
                let transaction = client.transaction().await.expect("begun");
                transaction.execute("update counter set n = n + 1", &[]).await.expect("added");
                transaction.commit().await.expect("committed");
            }
        });
        futures::future::join_all(adders).await;
        value(&first, "select n from counter").await
    };
    let added = tokio::select! {
        added = clients => added,
        () = relayed => unreachable!("it never ends"),
    };
    assert_eq!(added, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_transaction_does_not_keep_a_database_from_being_released() {
    let fleet = sqlite();
    let server = loaded(&fleet).await;
    let client = server.connect(1, 1).await;
    client.batch_execute("create table t (id int)").await.expect("made");
    client.batch_execute("begin; insert into t values (1)").await.expect("inserted");
    let released = tokio::time::timeout(Duration::from_secs(20), server.release(1, 1, 50)).await;
    released.expect("in time").expect("released");
    server.load(1, 2).await.expect("loads");
    assert_eq!(count(&server.connect(1, 2).await, "t").await, 0, "it was rolled back");
}
