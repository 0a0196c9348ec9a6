//! The journal on a store that is spoken to over HTTP, with a real client: a small server of the S3 protocol in this
//! process, which can lose answers, refuse, and say *conflict* where nothing landed (issue: ambiguous puts).

mod moto;

use std::{sync::Arc, time::Duration};

use journal::{Objects, OpenError, Patience, Store, StoreError, Threads, objects::Cloud};
use model::{Epoch, Incarnation};

use crate::world::*;
use tests::{S3Fault, S3Server};

fn cloud(url: &str, path: &str) -> Arc<dyn Objects> {
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = [
        option("AWS_ENDPOINT", url),
        option("AWS_ALLOW_HTTP", "true"),
        option("AWS_REGION", "us-east-1"),
        option("AWS_ACCESS_KEY_ID", "someone"),
        option("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    Arc::new(Cloud::at(&format!("s3://bucket/{path}"), &options).expect("a store"))
}

fn store(server: &S3Server, process: u64) -> Store {
    store_at(&server.url(), process)
}

fn store_at(url: &str, process: u64) -> Store {
    let patience = Patience { attempt: Duration::from_secs(20), total: Duration::from_secs(60) };
    Store::with(cloud(url, "some/where"), FLEET, Incarnation(process), patience, Threads::Pool)
}

#[tokio::test]
async fn a_store_over_http_passes_its_self_test() {
    let server = S3Server::start(3).await;
    store(&server, 1).prove().await.expect("it is a good store");
    assert_eq!(server.keys(), Vec::<String>::new(), "left clean");
}

#[tokio::test]
async fn commits_and_takeovers_work_over_http() {
    let server = S3Server::start(3).await;
    commits_and_takeovers(|process| store(&server, process)).await;
}

/// A life of a database on a store: commits, a snapshot, a takeover that fences the owner, its end.
async fn commits_and_takeovers(store: impl Fn(u64) -> Store) {
    let first = store(1);
    let (mut old, _) = open(&first, 1).await;
    for fill in 1..=7 {
        old.append(group(2, &[(1, fill), (2, fill + 1)])).await.expect("appended");
    }
    let image = [vec![7; PAGE], vec![8; PAGE]].concat();
    let packed = old.snapshot_draft().pack(&image[..]).expect("packed");
    old.snapshot_taken(packed.put().await.expect("put"));
    old.collection().run(Duration::ZERO, NOW).await.expect("collected");

    let (mut new, recovery) = open(&store(2), 2).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), [7, 8]);
    assert!(matches!(old.append(group(2, &[(1, 66)])).await, Err(journal::AppendError::Fenced { .. })));
    new.append(group(2, &[(1, 9)])).await.expect("appended");
    assert_eq!(first.databases().await.expect("listed"), [SHOP]);
    new.seal(NOW).await.expect("sealed");
    first.drop_database(SHOP, Epoch(3), NOW).await.expect("dropped");
    let error = first.open(SHOP, Epoch(4), NOW).await.expect_err("dropped");
    assert!(matches!(error, OpenError::Dropped { .. }), "{error}");
}

#[tokio::test]
async fn every_way_of_losing_an_answer_is_settled() {
    let server = S3Server::start(3).await;
    let (mut writer, _) = open(&store(&server, 1), 1).await;
    let faults = [
        S3Fault::LandsThenUnavailable,
        S3Fault::LandsThenHangsUp,
        S3Fault::Unavailable,
        S3Fault::HangsUp,
        S3Fault::ConflictWithoutLanding,
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        server.fail_next_put(fault);
        let position = writer.append(group(1, &[(1, number as u8 + 1)])).await;
        assert_eq!(position.expect("settled").get(), number as u64 + 2, "{fault:?}");
        assert_eq!(server.faults_left(), 0, "{fault:?} happened");
    }
    let (_, recovery) = open(&store(&server, 2), 2).await;
    assert_eq!(fills(&recovery.image().await.expect("an image")), [faults.len() as u8]);
    assert_eq!(recovery.state().transactions, faults.len() as u64, "none twice");
}

#[tokio::test]
async fn a_url_that_names_no_store_is_refused() {
    for url in ["ftp://bucket/x", "s3://", "s3:/bucket"] {
        assert!(Cloud::at(url, &[]).is_err(), "{url}");
    }
    let nonsense = [("AWS_NONSENSE".to_owned(), "1".to_owned())];
    assert!(Cloud::at("s3://bucket", &nonsense).is_err());
    let error = Store::at("ftp://bucket/x", FLEET, Incarnation(1)).await.expect_err("refused");
    assert!(matches!(error, StoreError::Place(_)), "{error}");
}
