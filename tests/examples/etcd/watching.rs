//! How long it takes until all watchers have heard of a write.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::sync::mpsc;

use crate::{
    etcd::Etcd,
    grpc::{self, fields, put_bytes},
    load::Work,
    map::Map,
    report,
};

const WATCHERS: usize = 100;
/// Watchers that share a connection, in both systems.
const WATCHERS_A_CONNECTION: usize = 10;
/// How long a watcher of ours waits in one call.
const WAIT_MS: u32 = 10_000;

/// Measures both in alternating rounds, and prints.
pub async fn compare(map: &Map<'_>, etcd: &Etcd, rounds: u64, length: Duration) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.extend(round(&mut map.writer().await, map_watchers(map).await, length).await);
        theirs.extend(round(&mut etcd.writer().await, etcd_watchers(etcd).await, length).await);
    }
    report::watchers(WATCHERS, &mut ours, &mut theirs);
}

/// Each watcher says when it has heard of one change more. Writes one after the other, each when all have heard of the
/// one before; how long each took, in milliseconds.
async fn round(writer: &mut impl Work, mut heard: mpsc::UnboundedReceiver<()>, length: Duration) -> Vec<f64> {
    let until = Instant::now() + length;
    let mut took = Vec::new();
    while Instant::now() < until {
        let began = Instant::now();
        writer.once().await;
        for _ in 0..WATCHERS {
            heard.recv().await.expect("watchers go on");
        }
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    took
}

async fn map_watchers(map: &Map<'_>) -> mpsc::UnboundedReceiver<()> {
    let (told, heard) = mpsc::unbounded_channel();
    let since = map.revision().await;
    for number in 0..WATCHERS.div_ceil(WATCHERS_A_CONNECTION) {
        let connection = map.connect(number % 3).await;
        for _ in 0..WATCHERS_A_CONNECTION {
            let (connection, told) = (connection.clone(), told.clone());
            tokio::spawn(async move {
                let mut since = since;
                while !told.is_closed() {
                    // Without an answer everything is over, or the writer waits in vain and tells.
                    let Ok(watched) = connection.watch(rpc::context(), since, WAIT_MS).await else { return };
                    let rpc::controller::WatchedChanges::Since(changes) = watched.changes else {
                        panic!("a watcher of the newest is never too far behind");
                    };
                    since = watched.revision;
                    for _ in changes {
                        // The round may be over.
                        let _ = told.send(());
                    }
                }
            });
        }
    }
    heard
}

async fn etcd_watchers(etcd: &Etcd) -> mpsc::UnboundedReceiver<()> {
    let (told, heard) = mpsc::unbounded_channel();
    let mut create = Vec::new();
    put_bytes(&mut create, 1, b"customer-");
    put_bytes(&mut create, 2, b"customer.");
    let mut request = Vec::new();
    put_bytes(&mut request, 1, &create);
    for number in 0..WATCHERS.div_ceil(WATCHERS_A_CONNECTION) {
        let connection = etcd.connect(number).await;
        for _ in 0..WATCHERS_A_CONNECTION {
            let (sending, mut answers) = connection.stream("Watch/Watch", &request, false).await;
            let mut rest = BytesMut::new();
            grpc::next(&mut answers, &mut rest).await.expect("the watch is made");
            let told = told.clone();
            tokio::spawn(async move {
                while let Some(message) = grpc::next(&mut answers, &mut rest).await {
                    for _ in fields(&message).filter(|(field, _)| *field == 11) {
                        if told.send(()).is_err() {
                            return;
                        }
                    }
                }
                drop(sending);
            });
        }
    }
    heard
}
