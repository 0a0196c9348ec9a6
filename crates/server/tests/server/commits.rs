//! What is acknowledged is durable, and what is not durable is not shown (S1, S2, R28).

use std::{sync::Arc, time::Duration};

use journal::{Faults, Faulty, Memory, Objects};
use tokio_postgres::SimpleQueryMessage;

use crate::support::fleet::{Fleet, code};

/// Longer than one append is tried for: 30 s.
const BEYOND_PATIENCE: Duration = Duration::from_secs(40);

fn slow_store(latency_ms: u64) -> Arc<Faulty> {
    let faults = Faults { latency_ms: latency_ms..latency_ms + 1, ..Faults::NONE };
    Arc::new(Faulty::new(Arc::new(Memory::default()), faults, 1))
}

fn rows(messages: &[SimpleQueryMessage]) -> usize {
    messages.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count()
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_until_its_commit_is_durable_even_a_readers() {
    let store = slow_store(10_000);
    let fleet = Fleet::inline(store.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let (writer, reader) = (server.connect(1, 1).await, server.connect(1, 1).await);
    let started = tokio::time::Instant::now();
    let mut writing = std::pin::pin!(writer.simple_query("put a 1"));
    let early = tokio::time::timeout(Duration::from_secs(1), &mut writing).await;
    assert!(early.is_err(), "the put is on its way");
    let read = reader.simple_query("get a").await.expect("read");
    assert_eq!(rows(&read), 1, "a reader may see it");
    assert!(started.elapsed() >= Duration::from_secs(9), "but only once it is durable");
    writing.await.expect("written");
}

#[tokio::test(start_paused = true)]
async fn many_commits_share_a_put() {
    let store = slow_store(1000);
    let fleet = Fleet::inline(store.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(server.connect(1, 1).await);
    }
    let started = tokio::time::Instant::now();
    let queries: Vec<_> = (0..32).map(|n| format!("put k{n} v")).collect();
    let puts = clients.iter().zip(&queries).map(|(client, query)| client.simple_query(query));
    let results = futures::future::join_all(puts).await;
    assert!(results.iter().all(Result::is_ok));
    assert!(started.elapsed() < Duration::from_secs(10), "not one put for each: {:?}", started.elapsed());
}

#[tokio::test]
async fn an_owner_that_was_fenced_off_acknowledges_nothing() {
    let store: Arc<dyn Objects> = Arc::new(Memory::default());
    let fleet = Fleet::with_objects(store);
    let (old, new) = (fleet.start("s1").await, fleet.start("s2").await);
    old.load(1, 1).await.expect("loads");
    let client = old.connect(1, 1).await;
    client.simple_query("put a 1").await.expect("written");
    new.load(1, 2).await.expect("takes over");
    let error = client.simple_query("put a 2").await.expect_err("fenced");
    assert_eq!(code(&error), "SM001");
    old.has_loaded(0).await;
    let read = new.connect(1, 2).await.simple_query("get a").await.expect("read");
    let SimpleQueryMessage::Row(row) = &read[1] else { panic!("no row: {read:?}") };
    assert_eq!(row.get(0), Some("1"), "what was not acknowledged is not there");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_back_finds_who_waited_for_it() {
    for fault in [
        Faults { unreachable: Some("cable cut"), ..Faults::NONE },
        Faults { refuse_puts: Some("disk full"), ..Faults::NONE },
        Faults { answer_lost: 1.0, ..Faults::NONE },
    ] {
        let store = slow_store(0);
        let fleet = Fleet::inline(store.clone());
        let server = fleet.start("s1").await;
        server.load(1, 1).await.expect("loads");
        let client = server.connect(1, 1).await;
        client.simple_query("put a 1").await.expect("written");
        store.set(fault);
        let mut writing = std::pin::pin!(client.simple_query("put a 2"));
        let early = tokio::time::timeout(BEYOND_PATIENCE, &mut writing).await;
        assert!(early.is_err(), "nobody knows whether it is durable: {early:?}");
        store.set(Faults::NONE);
        writing.await.expect("written in the end");
        assert_eq!(rows(&client.simple_query("get a").await.expect("read")), 1, "the session lives");
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_left_while_its_store_does_not_answer_leaves_the_outcome_unknown() {
    let store = slow_store(0);
    let fleet = Fleet::inline(store.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    client.simple_query("put a 1").await.expect("written");
    store.set(Faults { unreachable: Some("cable cut"), ..Faults::NONE });
    let writing = client.simple_query("put a 2");
    let leaving = async {
        tokio::time::sleep(BEYOND_PATIENCE).await;
        server.release(1, 1, 50).await.expect("released")
    };
    let (written, ()) = tokio::join!(writing, leaving);
    assert_eq!(code(&written.expect_err("no answer")), "40003", "it may yet land");
    server.has_loaded(0).await;
    store.set(Faults::NONE);
    server.load(1, 2).await.expect("it serves again when the fault ends");
    server.connect(1, 2).await.simple_query("put a 3").await.expect("written");
}

#[tokio::test(start_paused = true)]
async fn a_release_cuts_off_who_is_inside_even_while_the_store_does_not_answer_r21() {
    let store = slow_store(0);
    let fleet = Fleet::inline(store.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let (writer, reader) = (server.connect(1, 1).await, server.connect(1, 1).await);
    writer.simple_query("put a 1").await.expect("written");
    reader.batch_execute("begin").await.expect("begun");
    store.set(Faults { unreachable: Some("cable cut"), ..Faults::NONE });
    let writing = writer.simple_query("put a 2");
    let releasing = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.release(1, 1, 1_000).await
    };
    let looking = async {
        let closing = async || server.status().await.databases.iter().any(|database| database.closing);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert!(!closing().await, "who is inside may still ask");
        tokio::time::sleep(Duration::from_secs(5)).await;
        reader.batch_execute("get a").await.expect_err("it may be another's by now");
        // The writer waits for its commit and asks nothing.
        assert!(closing().await, "nobody asks anything any more");
        store.set(Faults::NONE);
    };
    let (_written, released, ()) = tokio::join!(writing, releasing, looking);
    released.expect("released");
}

#[tokio::test]
async fn snapshots_are_taken_and_loaded() {
    let store: Arc<dyn Objects> = Arc::new(Memory::default());
    let fleet = Fleet::with_objects(store);
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    for n in 0..200 {
        client.simple_query(&format!("put k{n} v{n}")).await.expect("written");
    }
    server.release(1, 1, 0).await.expect("put away");
    server.load(1, 2).await.expect("loads");
    let client = server.connect(1, 2).await;
    for n in 0..200 {
        assert_eq!(rows(&client.simple_query(&format!("get k{n}")).await.expect("read")), 1, "k{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn past_its_lease_a_server_still_reads_what_it_owns() {
    let fleet = Fleet::inline(slow_store(0));
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    client.simple_query("put a 1").await.expect("written");
    fleet.controllers.silence(true);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rows(&client.simple_query("get a").await.expect("read")), 1);
    client.simple_query("put a 2").await.expect("written");
}

#[tokio::test(start_paused = true)]
async fn past_its_lease_a_server_answers_nothing_stale() {
    let fleet = Fleet::inline(slow_store(0));
    let (old, new) = (fleet.start("s1").await, fleet.start("s2").await);
    old.load(1, 1).await.expect("loads");
    let client = old.connect(1, 1).await;
    client.simple_query("put a 1").await.expect("written");
    fleet.controllers.silence(true);
    tokio::time::sleep(Duration::from_secs(4)).await;
    new.load(1, 2).await.expect("takes over");
    new.connect(1, 2).await.simple_query("put a 2").await.expect("written");
    let error = client.simple_query("get a").await.expect_err("stale");
    assert_eq!(code(&error), "SM001");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_cannot_be_proven_waits_for_the_lease() {
    let store = slow_store(0);
    let fleet = Fleet::inline(store.clone());
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    client.simple_query("put a 1").await.expect("written");
    fleet.controllers.silence(true);
    store.set(Faults { unreachable: Some("cable cut"), ..Faults::NONE });
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut reading = std::pin::pin!(client.simple_query("get a"));
    let early = tokio::time::timeout(Duration::from_secs(60), &mut reading).await;
    assert!(early.is_err(), "neither journal nor controllers vouch for it");
    fleet.controllers.silence(false);
    assert_eq!(rows(&reading.await.expect("read")), 1);
}
