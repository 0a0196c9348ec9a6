//! One client's session: what it sees, how it is cancelled, what it may hold (R4, R5).

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::{NoTls, SimpleQueryMessage};
use wire::frontend;

use crate::support::{
    client::frame,
    eventually,
    fleet::{Fleet, code},
};

/// The values of all rows.
fn values(messages: &[SimpleQueryMessage]) -> Vec<String> {
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _other => None,
    };
    messages.iter().filter_map(row).collect()
}

#[tokio::test]
async fn a_client_reads_what_it_wrote() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    client.simple_query("put color green").await.expect("written");
    assert_eq!(values(&client.simple_query("get color").await.expect("read")), ["green"]);
    let error = client.simple_query("nonsense").await.expect_err("no such command");
    assert_eq!(code(&error), "42601");
    client.simple_query("get color").await.expect("the session lives on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_request_ends_the_running_statement_only() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    let cancel = client.cancel_token();
    let spinning = tokio::spawn(async move { (client.simple_query("spin").await, client) });
    // A cancel that comes before the statement does nothing, so it is repeated until one comes in time.
    eventually("cancelled", async || {
        let stream = server.dial().await;
        cancel.cancel_query_raw(stream, NoTls).await.expect("sent");
        if spinning.is_finished() { Ok(()) } else { Err("spinning") }
    })
    .await;
    let (result, client) = spinning.await.expect("no panic");
    assert_eq!(code(&result.expect_err("cancelled")), "57014");
    client.simple_query("get x").await.expect("the session lives on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_ends_its_statement() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let (mut stream, _) = server.raw(1, 1).await;
    let mut out = bytes::BytesMut::new();
    frontend::query(&mut out, "spin").expect("fits");
    stream.write_all(&out).await.expect("sent");
    eventually("inside", async || {
        let sessions = server.status().await.databases[0].sessions;
        if sessions == 1 { Ok(()) } else { Err(sessions) }
    })
    .await;
    drop(stream);
    eventually("outside again", async || {
        let sessions = server.status().await.databases[0].sessions;
        if sessions == 0 { Ok(()) } else { Err(sessions) }
    })
    .await;
}

#[tokio::test]
async fn a_long_answer_arrives_whole() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    let rows = values(&client.simple_query("rows 10000 1000").await.expect("10 MB"));
    assert_eq!((rows.len(), rows.iter().map(String::len).sum::<usize>()), (10_000, 10_000_000));
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_its_statement_not_the_server() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let (mut slow, mut greeting) = server.raw(1, 1).await;
    let mut out = bytes::BytesMut::new();
    // A terabyte: it would take for ever, or all memory, if anybody but the client set the pace.
    frontend::query(&mut out, "rows 1000000000 1000").expect("fits");
    slow.write_all(&out).await.expect("sent");
    let other = server.connect(1, 1).await;
    other.simple_query("get x").await.expect("others are served");
    while frame(&mut slow, &mut greeting).await.expect("open").0 != b'D' {}
    drop(slow);
    eventually("outside again", async || {
        let sessions = server.status().await.databases[0].sessions;
        if sessions == 1 { Ok(()) } else { Err(sessions) }
    })
    .await;
}

#[tokio::test]
async fn messages_sent_in_one_go_are_answered_in_order() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let (mut stream, mut input) = server.raw(1, 1).await;
    let mut out = bytes::BytesMut::new();
    for n in 0..2000 {
        frontend::query(&mut out, &format!("put k v{n}")).expect("fits");
        frontend::query(&mut out, "get k").expect("fits");
    }
    frontend::terminate(&mut out);
    let (mut reader, mut writer) = tokio::io::split(&mut stream);
    let reading = async {
        let mut all = bytes::BytesMut::new();
        while reader.read_buf(&mut all).await.expect("open") > 0 {}
        all
    };
    let (_, all) = tokio::join!(async { writer.write_all(&out).await.expect("sent") }, reading);
    input.unsplit(all);
    let mut rows = Vec::new();
    while let Some(header) = wire::Header::peek(&input, 1 << 20).expect("sound") {
        let body = input.split_to(header.len);
        if header.tag == b'D' {
            rows.push(String::from_utf8_lossy(&body[11..]).into_owned());
        }
    }
    let expected: Vec<String> = (0..2000).map(|n| format!("v{n}")).collect();
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn a_session_that_panics_takes_nobody_with_it() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let (bad, good) = (server.connect(1, 1).await, server.connect(1, 1).await);
    bad.simple_query("panic").await.expect_err("its connection is closed");
    good.simple_query("put a b").await.expect("others are served");
}

#[tokio::test]
async fn writers_take_turns_in_order() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let (first, second) = (server.connect(1, 1).await, server.connect(1, 1).await);
    first.batch_execute("begin").await.expect("begun");
    first.batch_execute("put a 1").await.expect("has the turn");
    let mut waiting = std::pin::pin!(second.batch_execute("put a 2"));
    let early = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
    assert!(early.is_err(), "the turn is not free");
    first.batch_execute("commit").await.expect("committed");
    waiting.await.expect("its turn now");
    assert_eq!(values(&first.simple_query("get a").await.expect("read")), ["2"]);
}

#[tokio::test]
async fn one_session_too_many_is_refused_with_53300() {
    let fleet = Fleet::new();
    let settings = server::Settings { sessions_max: 1, ..fleet.settings("s1") };
    let server = fleet.start_with(settings).await;
    server.load(1, 1).await.expect("loads");
    let first = server.connect(1, 1).await;
    let (_, login) = server.log_in(1, 1).await;
    assert!(matches!(login, crate::support::client::Login::Refused(code, ..) if code == "53300"));
    first.simple_query("get x").await.expect("the first is served");
}
