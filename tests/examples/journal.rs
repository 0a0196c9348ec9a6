//! What durability costs with everything around it: commits through a whole cluster beside plain SQLite
//! (`synchronous=FULL`, WAL) on the same disk, in alternating rounds, and what loading a database that nobody has loaded
//! costs. `cargo xtask bench journal`, which measures commits without networks, too (`commits`, an example of the server).
//!
//! Single rates scatter with whatever else the machine does; the ratios of rounds side by side are the solid figures.

#[path = "../../crates/server/examples/plain/mod.rs"]
mod plain;

use std::time::{Duration, Instant};

use tests::{Cluster, Session};

use crate::plain::{DATABASES, INSERT, SHAPES, Shape, TABLE, median, sync_ms};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let rounds = arguments.next().unwrap_or(5);
    let length = Duration::from_secs(arguments.next().unwrap_or(3));
    let cluster = Cluster::builder().controllers(1).handlers(1).servers(1).start().await;
    let folder = cluster.directory().join("plain");
    std::fs::create_dir(&folder).expect("made");
    for number in 0..DATABASES {
        cluster.create(&format!("db{number}")).await;
        cluster.session(0, &format!("db{number}")).await.batch_execute(TABLE).await.expect("made");
        plain::open(&folder, number).execute_batch(TABLE).expect("made");
    }
    println!("one append and fdatasync here: {:.3} ms (p50)\n", sync_ms(cluster.directory()));
    println!("{:<28} {:>10} {:>10} {:>7} {:>7}", "durable commits", "ours/s", "plain/s", "ratio", "reach");
    for shape in &SHAPES {
        let mut pairs = Vec::new();
        for _ in 0..rounds {
            let before = puts(&cluster).await;
            let ours = ours(&cluster, shape, length).await;
            let puts = puts(&cluster).await - before;
            let plain = plain::rate(&folder, shape, length);
            pairs.push((ours, plain, ours * length.as_secs_f64() / puts.max(1.0)));
        }
        let ratio = median(pairs.iter().map(|(ours, plain, _)| ours / plain));
        println!(
            "{:<28} {:>10.0} {:>10.0} {ratio:>7.2} {:>7.2}   {:.1} commits/put",
            shape.name,
            median(pairs.iter().map(|pair| pair.0)),
            median(pairs.iter().map(|pair| pair.1)),
            shape.reach,
            median(pairs.iter().map(|pair| pair.2)),
        );
    }
    loads(&cluster, rounds * 4).await;
}

/// Objects put into the journal so far.
async fn puts(cluster: &Cluster) -> f64 {
    cluster.metric(&cluster.servers, "stationmaster_server_journal_append_duration_seconds_count").await
}

/// Commits per second through the cluster.
async fn ours(cluster: &Cluster, shape: &Shape, length: Duration) -> f64 {
    let mut sessions = Vec::new();
    for number in 0..shape.sessions {
        sessions.push(cluster.session(0, &format!("db{}", number % shape.databases)).await);
    }
    let until = Instant::now() + length;
    let work = sessions.iter().map(|session| commits(session, until));
    let done: u64 = futures::future::join_all(work).await.into_iter().sum();
    done as f64 / length.as_secs_f64()
}

async fn commits(session: &Session, until: Instant) -> u64 {
    let insert = session.prepare(INSERT).await.expect("prepared");
    let mut done = 0;
    while Instant::now() < until {
        session.execute(&insert, &[]).await.expect("committed");
        done += 1;
    }
    done
}

/// How much longer the first answer of a database that is not loaded takes.
async fn loads(cluster: &Cluster, rounds: u64) {
    println!("\n{:<28} {:>10} {:>10} {:>10} {:>7}", "cold load", "cold ms", "warm ms", "load ms", "reach");
    for (name, bytes, reach) in [("100 KB", 100_000, 20.0), ("10 MB", 10_000_000, 200.0)] {
        let database = format!("cold_{bytes}");
        cluster.create(&database).await;
        let session = cluster.session(0, &database).await;
        session.batch_execute("CREATE TABLE t (content blob)").await.expect("made");
        for _ in 0..bytes / 50_000 {
            session.batch_execute("INSERT INTO t VALUES (randomblob(50000))").await.expect("filled");
        }
        drop(session);
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            cluster.unassign(&database).await;
            cold.push(first_answer(cluster, &database).await);
            warm.push(first_answer(cluster, &database).await);
        }
        let load = median(cold.iter().zip(&warm).map(|(cold, warm)| cold - warm));
        let (cold, warm) = (median(cold.into_iter()), median(warm.into_iter()));
        println!("{name:<28} {cold:>10.1} {warm:>10.1} {load:>10.1} {reach:>7.0}");
    }
}

/// Milliseconds from connecting to an answer that needed the table.
async fn first_answer(cluster: &Cluster, database: &str) -> f64 {
    let began = Instant::now();
    let session = cluster.session(0, database).await;
    session.one("SELECT length(content) FROM t LIMIT 1").await.expect("answered");
    began.elapsed().as_secs_f64() * 1e3
}
