//! A fleet whose journals are in an S3 bucket, which misbehaves: nothing acknowledged is lost, nothing is doubled, and no
//! client hears of it (S1, S2, R18; issue: *a store that is slow or returns errors*).

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures::future::join_all;
use tests::{Cli, Cluster, Role, S3Fault, S3Server};

const CLIENTS: usize = 4;
const JOURNALS: &str = "s3://bucket/fleet";

/// Inserts until it is told to stop; how many inserts were acknowledged.
async fn insert(cluster: &Cluster, client: usize, stop: &AtomicBool) -> u32 {
    let session = cluster.session(client % 2, "shop").await;
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        let row = format!("INSERT INTO t VALUES ({client}, {n})");
        session.batch_execute(&row).await.unwrap_or_else(|error| panic!("{client}, {n}: {error:?}"));
        n += 1;
    }
    n
}

/// The owner's appends go on: waits until so many more rows are there.
async fn rows_more(cluster: &Cluster, rows: i64) {
    let session = cluster.session(0, "shop").await;
    let count = async || -> i64 {
        session.one("SELECT count(*) FROM t").await.expect("counted").parse().expect("a number")
    };
    let goal = count().await + rows;
    tests::until("rows come in", async || match count().await {
        there if there >= goal => Ok(()),
        there => Err(there),
    })
    .await;
}

async fn fleet(store: &S3Server) -> Cluster {
    let journal = format!("{JOURNALS:?}");
    let fleet = Cluster::builder().controllers(1).servers(2).set(Role::Server, "journal", journal);
    let variables = variables(store).into_iter();
    variables.fold(fleet, |fleet, (name, value)| fleet.server_variable(&name, &value)).start().await
}

fn variables(store: &S3Server) -> Vec<(String, String)> {
    let url = store.url();
    let all = [
        ("AWS_ENDPOINT", url.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "someone"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_bucket_that_fails_and_with_servers_that_die_every_row_is_there_once_s1_s2_r18() {
    let store = S3Server::start(1_000).await;
    let cluster = fleet(&store).await;
    cluster.create("shop").await;
    let session = cluster.session(0, "shop").await;
    session.batch_execute("CREATE TABLE t (client int, n int)").await.expect("made");
    let stop = AtomicBool::new(false);
    let faults = async {
        rows_more(&cluster, 20).await;
        let weathers = [
            (Some(S3Fault::Unavailable), 0),
            (Some(S3Fault::LandsThenUnavailable), 0),
            (Some(S3Fault::HangsUp), 0),
            (Some(S3Fault::LandsThenHangsUp), 0),
            (Some(S3Fault::ConflictWithoutLanding), 0),
            (None, 100),
            (Some(S3Fault::LandsThenHangsUp), 50),
        ];
        for (fault, delay) in weathers {
            store.weather(fault, Duration::from_millis(delay));
            rows_more(&cluster, 5).await;
            // The next owner reads everything while the weather lasts; the old one cannot prove its store until it ends.
            let owner = cluster.owner("shop").await.expect("somebody serves it");
            cluster.servers[owner].kill();
            cluster.servers[owner].start();
            rows_more(&cluster, 5).await;
            store.weather(None, Duration::ZERO);
            cluster.servers[owner].ready().await;
            eprintln!("{fault:?} and {delay} ms: fine");
        }
        rows_more(&cluster, 20).await;
        stop.store(true, Ordering::Relaxed);
    };
    let clients = join_all((0..CLIENTS).map(|client| insert(&cluster, client, &stop)));
    let (acknowledged, ()) = futures::future::join(clients, faults).await;
    for (client, rows) in acknowledged.iter().enumerate() {
        let counts = format!("SELECT count(*) || '/' || count(DISTINCT n) FROM t WHERE client = {client}");
        assert_eq!(session.one(&counts).await.expect("counted"), format!("{rows}/{rows}"), "client {client}");
    }
    drop(session);
    for server in &cluster.servers {
        server.kill();
    }
    let cli = Cli { variables: variables(&store), ..cluster.cli() };
    let verified = cli.run(&["journal", "verify", "--journal", JOURNALS]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}
