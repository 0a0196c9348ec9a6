//! Creating databases: every create makes exactly one, whatever happens to the leader meanwhile (R6, R7).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use futures::{FutureExt, StreamExt, future::join, stream};
use model::{DatabaseId, Name};
use tests::{Cluster, until};

const DATABASES: usize = 1000;
/// Sessions that create at the same time, through each handler.
const CREATORS: usize = 8;
/// Sessions that are opened at the same time.
const READERS: usize = 24;

fn name(number: usize) -> String {
    format!("made_{number:04}")
}

/// All databases by name, as any controller lists them.
async fn listed(cluster: &Cluster) -> BTreeMap<String, DatabaseId> {
    let rpc = cluster.rpc();
    let mut all = BTreeMap::new();
    let mut after: Option<Name> = None;
    loop {
        let from = after.clone();
        let page = rpc
            .any(move |client, context| {
                let from = from.clone();
                async move { client.databases(context, from, 300).await }.boxed()
            })
            .await
            .expect("a controller lists");
        after = page.databases.last().map(|info| info.name.clone());
        all.extend(page.databases.into_iter().map(|info| (info.name.to_string(), info.database)));
        if !page.more {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_databases_created_while_the_leader_is_killed_are_there_once_each_r6_r7_r8() {
    let cluster = &Cluster::builder().start().await;
    let next = &AtomicUsize::new(0);
    let creator = async |which: usize| {
        let session = cluster.session(which % 2, "stationmaster").await;
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= DATABASES {
                return;
            }
            let sql = format!("CREATE DATABASE {}", name(number));
            if let Err(error) = session.batch_execute(&sql).await {
                panic!("{sql}: {error:?}\n{}", cluster.tails(30));
            }
        }
    };
    let killer = async {
        until("half of them are on their way", async || {
            let sent = next.load(Ordering::SeqCst);
            if sent >= DATABASES / 2 { Ok(()) } else { Err(sent) }
        })
        .await;
        let leader = cluster.leader().await;
        cluster.controllers[leader].kill();
        leader
    };
    let creators = stream::iter(0..2 * CREATORS).for_each_concurrent(None, creator);
    let ((), killed) = join(creators, killer).await;

    let expected: BTreeSet<String> = (0..DATABASES).map(name).collect();
    let listed = listed(cluster).await;
    assert_eq!(listed.keys().cloned().collect::<BTreeSet<_>>(), expected, "none lost, none invented");
    let ids: BTreeSet<_> = listed.values().collect();
    assert_eq!(ids.len(), DATABASES, "an id was given twice");

    cluster.controllers[killed].start();
    cluster.controllers[killed].ready().await;
    cluster.agreed().await;

    let asks = stream::iter((0..DATABASES).flat_map(|number| [(number, 0), (number, 1)]));
    asks.for_each_concurrent(READERS, async |(number, handler)| {
        let session = cluster.session(handler, &name(number)).await;
        let answer = session.one("select 1").await;
        assert_eq!(answer.ok().as_deref(), Some("1"), "{} through handler {handler}", name(number));
    })
    .await;
}

#[tokio::test]
async fn an_id_is_never_given_again_after_a_drop_r7() {
    let cluster = Cluster::shared().await;
    let first = cluster.create("dropped_and_made").await.database;
    let session = cluster.session(0, "dropped_and_made").await;
    session.batch_execute("CREATE TABLE t (n int)").await.expect("written");
    drop(session);
    let admin = cluster.session(0, "stationmaster").await;
    admin.batch_execute("DROP DATABASE dropped_and_made").await.expect("dropped");
    let second = cluster.create("dropped_and_made").await.database;
    assert!(second > first, "{second} after {first}");
    let session = cluster.session(1, "dropped_and_made").await;
    let gone = session.one("SELECT count(*) FROM t").await.expect_err("it is another database");
    assert_eq!(tests::code(&gone), "42P01");
}
