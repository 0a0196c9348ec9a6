//! Loading, putting away, loading again: here, elsewhere, many at a time (R3, R10, R27, R28).

use std::{sync::Arc, time::Duration};

use model::{DatabaseId, Epoch, Incarnation};
use rpc::server::ServerRefusal;

use crate::support::{
    client::Login,
    eventually,
    fleet::{Fleet, Running, code},
};

async fn value(server: &Running, database: u64, epoch: u64, key: &str) -> Vec<String> {
    let client = server.connect(database, epoch).await;
    let messages = client.simple_query(&format!("get {key}")).await.expect("read");
    let row = |message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _other => None,
    };
    messages.into_iter().filter_map(row).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_written_is_there_after_putting_away_and_loading_again() {
    let fleet = Fleet::inline(Arc::new(journal::Memory::default()));
    let settings = server::Settings { idle_put_away: Duration::from_secs(10), ..fleet.settings("s1") };
    let server = fleet.start_with(settings).await;
    assert!(!server.load(1, 1).await.expect("loads").already);
    server.connect(1, 1).await.simple_query("put color green").await.expect("written");
    server.has_loaded(0).await;
    eventually("told", async || {
        let told = fleet.controllers.put_away();
        if told.contains(&(DatabaseId(1), Epoch(1))) { Ok(()) } else { Err(told) }
    })
    .await;
    let (_, login) = server.log_in(1, 1).await;
    assert!(matches!(login, Login::Refused(code, ..) if code == "SM001"), "it is not served any more");
    server.load(1, 2).await.expect("loads again");
    assert_eq!(value(&server, 1, 2, "color").await, ["green"]);
    let copies = std::fs::read_dir(fleet.data_dir("s1").join("cache")).expect("there").count();
    assert!(copies <= 1, "working copies of what was put away are gone");
}

#[tokio::test]
async fn fifty_loads_at_once_are_one_load() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    let loads = futures::future::join_all((0..50).map(|_| server.load(1, 1))).await;
    assert!(loads.iter().all(Result::is_ok), "{loads:?}");
    assert!(server.load(1, 1).await.expect("loaded").already);
    assert_eq!(server.status().await.databases.len(), 1);
}

#[tokio::test]
async fn an_older_epoch_is_spent_and_a_newer_one_takes_over() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 5).await.expect("loads");
    let client = server.connect(1, 5).await;
    client.simple_query("put a 1").await.expect("written");
    let spent = server.load(1, 4).await.expect_err("older");
    assert!(matches!(spent, ServerRefusal::EpochSpent { journal: Epoch(5), .. }), "{spent:?}");
    server.load(1, 6).await.expect("newer");
    let error = client.simple_query("get a").await.expect_err("its epoch is over");
    assert!(["SM001", "closed"].contains(&code(&error).as_str()), "{error:?}");
    assert_eq!(value(&server, 1, 6, "a").await, ["1"]);
    let (_, login) = server.log_in(1, 5).await;
    assert!(matches!(login, Login::Refused(code, _, Some(detail)) if code == "SM001" && detail == "6"));
}

#[tokio::test]
async fn another_server_takes_over_from_one_that_crashed() {
    let fleet = Fleet::new();
    let first = fleet.start("s1").await;
    first.load(1, 1).await.expect("loads");
    first.connect(1, 1).await.simple_query("put color green").await.expect("written");
    first.kill().await;
    let second = fleet.start("s2").await;
    let spent = second.load(1, 1).await.expect_err("the epoch of the one that crashed");
    assert!(matches!(spent, ServerRefusal::EpochSpent { .. }), "{spent:?}");
    second.load(1, 2).await.expect("loads");
    assert_eq!(value(&second, 1, 2, "color").await, ["green"]);
}

#[tokio::test]
async fn release_lets_a_transaction_finish_and_cuts_off_what_takes_too_long() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    client.batch_execute("begin").await.expect("begun");
    let mut releasing = std::pin::pin!(server.release(1, 1, 60_000));
    let early = tokio::time::timeout(Duration::from_millis(50), &mut releasing).await;
    assert!(early.is_err(), "somebody is in a transaction");
    client.batch_execute("put a 1").await.expect("it goes on");
    let (committed, released) = tokio::join!(client.batch_execute("commit"), releasing);
    committed.expect("committed");
    released.expect("released");
    let error = client.batch_execute("get a").await.expect_err("moved");
    assert!(["SM001", "closed"].contains(&code(&error).as_str()), "{error:?}");

    server.load(1, 2).await.expect("loads");
    let client = server.connect(1, 2).await;
    client.batch_execute("begin").await.expect("begun");
    server.release(1, 2, 10).await.expect("released nevertheless");
    client.batch_execute("commit").await.expect_err("cut off");
    server.release(1, 2, 10).await.expect("releasing what is not there is fine");
}

#[tokio::test]
async fn a_call_for_another_life_is_refused() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    let refused = server.load_in(Incarnation(1), 1, 1).await.expect_err("another life");
    assert!(matches!(refused, ServerRefusal::AnotherLife { .. }));
}

#[tokio::test]
async fn a_server_that_is_told_it_was_down_drops_everything_and_lives_again() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    let client = server.connect(1, 1).await;
    client.simple_query("put a 1").await.expect("written");
    fleet.controllers.expire();
    eventually("registered again", async || {
        let lives = fleet.controllers.lives();
        if lives.len() == 2 { Ok(()) } else { Err(lives) }
    })
    .await;
    client.simple_query("get a").await.expect_err("its session is over");
    eventually("in its new life", async || {
        let (now, lives) = (server.status().await.incarnation, fleet.controllers.lives());
        if lives[1] == now && lives[0] != now { Ok(()) } else { Err((now, lives)) }
    })
    .await;
    assert!(server.status().await.databases.is_empty());
    server.load(1, 2).await.expect("loads");
    assert_eq!(value(&server, 1, 2, "a").await, ["1"]);
}

#[tokio::test]
async fn at_the_limit_the_longest_idle_database_makes_room() {
    let fleet = Fleet::new();
    let settings = server::Settings { databases_loaded_max: 2, ..fleet.settings("s1") };
    let server = fleet.start_with(settings).await;
    server.load(1, 1).await.expect("loads");
    let busy = server.connect(1, 1).await;
    server.load(2, 1).await.expect("loads");
    server.load(3, 1).await.expect("the idle one goes");
    eventually("two are left", async || {
        let ids: Vec<_> = server.status().await.databases.iter().map(|loaded| loaded.database.0).collect();
        if ids == [1, 3] { Ok(()) } else { Err(ids) }
    })
    .await;
    let also_busy = server.connect(3, 1).await;
    let full = server.load(4, 1).await.expect_err("nobody is idle");
    assert!(matches!(full, ServerRefusal::Full { loaded: 2 }), "{full:?}");
    busy.simple_query("get a").await.expect("served");
    also_busy.simple_query("get a").await.expect("served");
}

#[tokio::test]
async fn stopping_a_server_puts_everything_away_and_says_so() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    server.connect(1, 1).await.simple_query("put a 1").await.expect("written");
    server.stop().await;
    assert!(fleet.controllers.put_away().contains(&(DatabaseId(1), Epoch(1))));
    let second = fleet.start("s2").await;
    second.load(1, 2).await.expect("loads");
    assert_eq!(value(&second, 1, 2, "a").await, ["1"]);
}

#[tokio::test]
async fn a_purged_database_cannot_be_loaded_any_more() {
    let fleet = Fleet::new();
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    server.connect(1, 1).await.simple_query("put a 1").await.expect("written");
    server.purge(1, 2).await.expect("purged");
    server.purge(1, 2).await.expect("purging again is fine");
    server.purge(99, 2).await.expect("one that never was, too");
    let gone = server.load(1, 3).await.expect_err("dropped");
    assert!(matches!(gone, ServerRefusal::Failed { .. }), "{gone:?}");
}

#[tokio::test]
async fn a_thousand_idle_databases_are_normal() {
    let fleet = Fleet::new();
    let settings = server::Settings { databases_loaded_max: 2000, ..fleet.settings("s1") };
    let server = fleet.start_with(settings).await;
    let loads = futures::future::join_all((1..=1000).map(|id| server.load(id, 1))).await;
    assert!(loads.iter().all(Result::is_ok));
    server.has_loaded(1000).await;
    server.connect(500, 1).await.simple_query("put a 1").await.expect("served");
    server.stop().await;
}

#[tokio::test]
async fn two_servers_cannot_share_a_data_directory() {
    let fleet = Fleet::new();
    let _first = fleet.start("s1").await;
    let settings = server::Settings { data_dir: fleet.data_dir("s1"), ..fleet.settings("s2") };
    let error = fleet.run(settings).await.expect_err("taken");
    assert!(matches!(error, server::Error::DataDirTaken { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unused_database_stays_loaded_with_its_copy_closed_and_opens_for_who_comes() {
    let fleet = Fleet::inline(Arc::new(journal::Memory::default()));
    let server = fleet.start("s1").await;
    server.load(1, 1).await.expect("loads");
    server.connect(1, 1).await.simple_query("put a 1").await.expect("written");
    for n in 0..3 {
        tokio::time::sleep(server::limits::COOL_AFTER * 2).await;
        assert_eq!(server.status().await.databases.len(), 1, "it is loaded");
        let client = server.connect(1, 1).await;
        client.simple_query(&format!("put b{n} 1")).await.expect("written");
        assert_eq!(value(&server, 1, 1, "a").await, ["1"]);
    }
    tokio::time::sleep(server::limits::COOL_AFTER * 2).await;
    server.release(1, 1, 0).await.expect("put away");
    server.load(1, 2).await.expect("loads");
    assert_eq!(value(&server, 1, 2, "b2").await, ["1"]);
}
