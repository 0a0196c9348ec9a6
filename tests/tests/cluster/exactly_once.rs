//! The owner dies in the middle of writes: no client error, and each row once (S2, R18, R21).
//!
//! Two clients insert with autocommit, each its own numbers in order, while the database's owner is killed twice. What
//! a client is told is compared with what is in the table.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use futures::future::join_all;
use tests::{Cluster, Session, until};

/// How a client asks.
#[derive(Clone, Copy, Debug)]
enum By {
    /// A Query for each row.
    Simple,
    /// A prepared statement for each row.
    Extended,
    /// Four prepared statements at once, each with its own Sync.
    Pipeline,
}

/// Inserts rows until told to stop; how many were acknowledged.
async fn insert(session: &Session, client: i32, by: By, stop: &AtomicBool, done: &AtomicU64) -> i32 {
    let statement = session.prepare("INSERT INTO t VALUES ($1, $2) RETURNING n").await.expect("prepared");
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        match by {
            By::Simple => {
                let sql = format!("INSERT INTO t VALUES ({client}, {n}) RETURNING n");
                let told = session.one(&sql).await.unwrap_or_else(|e| panic!("{by:?} {client}/{n}: {e:?}"));
                assert_eq!(told, n.to_string());
                n += 1;
            }
            By::Extended => {
                let row = session.query_one(&statement, &[&client, &n]).await;
                let row = row.unwrap_or_else(|e| panic!("{by:?} {client}/{n}: {e:?}"));
                assert_eq!(row.get::<_, i32>(0), n);
                n += 1;
            }
            By::Pipeline => {
                let numbers: Vec<i32> = (n..n + 4).collect();
                let rows = numbers.iter().map(|n| async {
                    // The futures are polled in order, so that their messages go out in order.
                    session.query_one(&statement, &[&client, n]).await
                });
                for (n, row) in numbers.iter().zip(join_all(rows).await) {
                    let row = row.unwrap_or_else(|e| panic!("{by:?} {client}/{n}: {e:?}"));
                    assert_eq!(row.get::<_, i32>(0), *n);
                }
                n += 4;
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    n
}

async fn each_row_once(by: By) {
    let cluster = Cluster::builder().start().await;
    cluster.create("once").await;
    let sessions = [cluster.session(0, "once").await, cluster.session(1, "once").await];
    // No key that would hide a row that was inserted twice.
    sessions[0].batch_execute("CREATE TABLE t (client int, n int)").await.expect("created");
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let work =
        join_all((0..).zip(&sessions).map(|(client, session)| insert(session, client, by, &stop, &done)));
    let kills = async {
        for _ in 0..2 {
            let before = done.load(Ordering::Relaxed);
            until("rows go in", async || {
                let now = done.load(Ordering::Relaxed);
                if now > before + 20 { Ok(()) } else { Err(format!("{now} since {before}")) }
            })
            .await;
            let owner = cluster.owner("once").await.expect("somebody serves it");
            cluster.servers[owner].kill();
            tokio::time::sleep(Duration::from_millis(50)).await;
            cluster.servers[owner].start();
        }
        let before = done.load(Ordering::Relaxed);
        until("rows go in again", async || {
            let now = done.load(Ordering::Relaxed);
            if now > before + 20 { Ok(()) } else { Err(format!("{now} since {before}")) }
        })
        .await;
        stop.store(true, Ordering::Relaxed);
    };
    let (acknowledged, ()) = tokio::join!(work, kills);
    for (client, acknowledged) in acknowledged.iter().enumerate() {
        let sql = format!(
            "SELECT count(*) || ' ' || count(DISTINCT n) || ' ' || max(n) FROM t WHERE client = {client}"
        );
        let expected = format!("{acknowledged} {acknowledged} {}", acknowledged - 1);
        assert_eq!(
            sessions[0].one(&sql).await.expect("answered"),
            expected,
            "{by:?}: rows, different ones, last"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_once_by_simple_queries_while_owners_are_killed_s2_r18() {
    each_row_once(By::Simple).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_once_by_prepared_statements_while_owners_are_killed_s2_r18() {
    each_row_once(By::Extended).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_once_by_pipelines_while_owners_are_killed_s2_r18() {
    each_row_once(By::Pipeline).await;
}
