//! Servers that die: their databases are assigned anew, with everything that was acknowledged (R18, R28, claim 5).

use tests::{Cluster, code, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_servers_databases_go_on_elsewhere_with_every_acknowledged_write_r18_r28() {
    let cluster = Cluster::builder().start().await;
    let before = cluster.create("survivor").await;
    let session = cluster.session(0, "survivor").await;
    session.batch_execute("CREATE TABLE t (n int PRIMARY KEY)").await.expect("written");
    for n in 0..50 {
        session.batch_execute(&format!("INSERT INTO t VALUES ({n})")).await.expect("acknowledged");
    }
    let owner = cluster.owner("survivor").await.expect("somebody serves it");
    cluster.servers[owner].kill();

    for handler in 0..2 {
        let session = until("the database answers again", async || {
            cluster.connect(handler, "survivor").await.map_err(|error| format!("{error:?}"))
        })
        .await;
        assert_eq!(session.one("SELECT count(*) FROM t").await.expect("answered"), "50");
    }
    let after = cluster.info("survivor").await;
    assert!(after.epoch > before.epoch, "{after:?}");
    assert_ne!(cluster.owner("survivor").await, Some(owner));

    // It comes back in a new life and owns nothing of the old one.
    cluster.servers[owner].start();
    cluster.servers[owner].ready().await;
    assert_ne!(cluster.owner("survivor").await, Some(owner));
    let session = cluster.session(0, "survivor").await;
    assert_eq!(session.one("SELECT count(*) FROM t").await.expect("answered"), "50");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_server_a_client_is_told_what_is_missing_57p03() {
    let cluster = Cluster::builder().controllers(1).handlers(1).servers(1).start().await;
    cluster.create("orphan").await;
    cluster.servers[0].kill();
    let refused = cluster.connect(0, "orphan").await.err().expect("nobody can serve it");
    assert_eq!(code(&refused), "57P03", "{refused:?}");
    let text = format!("{refused:?}");
    assert!(text.contains("server"), "it says what is missing: {text}");
    cluster.servers[0].start();
    let session = until("the database answers again", async || {
        cluster.connect(0, "orphan").await.map_err(|error| format!("{error:?}"))
    })
    .await;
    assert_eq!(session.one("select 1").await.expect("answered"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_loses_its_databases_and_cannot_write_when_it_wakes_s1_r29() {
    let cluster = Cluster::builder().start().await;
    cluster.create("frozen").await;
    let session = cluster.session(0, "frozen").await;
    session.batch_execute("CREATE TABLE t (n int)").await.expect("written");
    let owner = cluster.owner("frozen").await.expect("somebody serves it");
    cluster.servers[owner].pause();
    let elsewhere = until("the database answers again", async || {
        cluster.connect(1, "frozen").await.map_err(|error| format!("{error:?}"))
    })
    .await;
    elsewhere.batch_execute("INSERT INTO t VALUES (1)").await.expect("written by the new owner");
    cluster.servers[owner].resume();
    // The old session either goes on at the new owner or is told that it is over; it must not write at the old one.
    let late = session.batch_execute("INSERT INTO t VALUES (2)").await;
    let rows: i64 =
        elsewhere.one("SELECT count(*) FROM t").await.expect("answered").parse().expect("a number");
    assert_eq!(rows, if late.is_ok() { 2 } else { 1 }, "{late:?}");
    assert_ne!(cluster.owner("frozen").await, Some(owner));
}
