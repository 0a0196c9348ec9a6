//! A server that is emptied while clients work on its databases: none of them sees an error (R17, R27).
//!
//! It has some hundred databases, all loaded; `STATIONMASTER_DRAIN_DATABASES=1000` makes it as many as anybody likes.

use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt, future::join_all, stream};
use rpc::controller::Operation;
use tests::{Cluster, Session, until};
use tokio::sync::watch;

/// Clients that keep their session, each on a database of its own.
const STAYING: usize = 8;
/// Clients that come to one database after the other.
const ROAMING: usize = 4;

fn databases() -> usize {
    let number = std::env::var("STATIONMASTER_DRAIN_DATABASES").ok();
    number.map_or(200, |text| text.parse().expect("a number of databases"))
}

fn name(database: usize) -> String {
    format!("drained_{database}")
}

async fn drain(cluster: &Cluster, server: &str, draining: bool) {
    cluster.operate(Operation::DrainServer { server: server.into(), draining }).await;
}

/// Inserts one row; gives how long it took.
async fn insert(session: &Session, client: usize) -> Result<Duration, tokio_postgres::Error> {
    let begun = Instant::now();
    session.batch_execute(&format!("INSERT INTO t VALUES ({client})")).await?;
    Ok(begun.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_drained_under_load_without_any_clients_noticing_r17_r27() {
    let cluster = Cluster::builder().servers(2).start().await;
    // All of them begin on the first server.
    drain(&cluster, "server-2", true).await;
    let begun = Instant::now();
    stream::iter(0..databases())
        .for_each_concurrent(16, async |database| {
            cluster.create(&name(database)).await;
            let session = cluster.session(database % 2, &name(database)).await;
            session.batch_execute("CREATE TABLE t (client bigint)").await.expect("created");
        })
        .await;
    drain(&cluster, "server-2", false).await;
    let made = begun.elapsed();

    let (stop, stopped) = watch::channel(false);
    let staying = (0..STAYING).map(async |client| {
        let session = cluster.session(client % 2, &name(client)).await;
        let mut took = Vec::new();
        while !*stopped.borrow() {
            took.push(insert(&session, client).await.map_err(|error| format!("client {client}: {error:?}"))?);
        }
        Ok::<_, String>(took)
    });
    let roaming = (0..ROAMING).map(async |client| {
        let (mut took, mut at) = (Vec::new(), client);
        while !*stopped.borrow() {
            let database = name(at % databases());
            let told = |error| format!("roaming client {client} on {database}: {error:?}");
            let session = cluster.connect(client % 2, &database).await.map_err(told)?;
            took.push(insert(&session, STAYING + client).await.map_err(told)?);
            at += ROAMING + 1;
        }
        Ok::<_, String>(took)
    });
    let emptying = async {
        let (begun, rpc) = (Instant::now(), cluster.rpc());
        drain(&cluster, "server-1", true).await;
        until("the server is empty", async || {
            let call = rpc.any(|client, context| async move { client.servers(context).await }.boxed());
            let servers = call.await.map_err(|error| error.to_string())?;
            let drained =
                servers.iter().find(|server| server.name.as_str() == "server-1").expect("it is known");
            if drained.databases == 0 {
                Ok(())
            } else {
                Err(format!("it has {} databases", drained.databases))
            }
        })
        .await;
        stop.send_replace(true);
        begun.elapsed()
    };
    let (stayed, roamed, emptied) = tokio::join!(join_all(staying), join_all(roaming), emptying);

    let results: Vec<_> = stayed.into_iter().chain(roamed).collect();
    let errors: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert!(errors.is_empty(), "{} errors: {errors:#?}", errors.len());
    let mut took: Vec<Duration> = results.into_iter().flatten().flatten().collect();
    took.sort_unstable();
    let mut rows = 0;
    for database in 0..databases() {
        let session = cluster.session(0, &name(database)).await;
        rows +=
            session.one("SELECT count(*) FROM t").await.expect("read").parse::<usize>().expect("a number");
    }
    assert_eq!(rows, took.len(), "every acknowledged row is there once");
    println!(
        "{} databases made in {made:?}, drained in {emptied:?} under {} inserts; 0 errors; p99 {:?}, longest {:?}",
        databases(),
        took.len(),
        took[(took.len() - 1) * 99 / 100],
        took[took.len() - 1]
    );
}
