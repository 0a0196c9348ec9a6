//! What clients notice when a server is killed, and when a database is moved: the longest request of each session
//! around it, and errors. `cargo xtask bench failover`.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rpc::controller::{DatabaseRef, Operation};
use tests::Cluster;

const DATABASES: usize = 8;
const SESSIONS: usize = 32;
/// How long requests are watched after something happened.
const AFTER: Duration = Duration::from_secs(3);

/// A request that was answered: in which session, when it was sent, and how long it took.
struct Answered {
    session: usize,
    sent: Instant,
    took: Duration,
}

/// What all sessions do until they are told to end.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    errors: AtomicU64,
    answered: Mutex<Vec<Answered>>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(8, |text| text.parse().expect("a number"));
    let cluster = Cluster::builder().handlers(1).start().await;
    for number in 0..DATABASES {
        cluster.create(&name(number)).await;
        let session = cluster.session(0, &name(number)).await;
        session.batch_execute("CREATE TABLE t (n integer)").await.expect("made");
    }
    println!(
        "{:<14} {:>7} {:>9} {:>9} {:>9} {:>7} {:>9} {:>9}",
        "", "events", "usual ms", "p50 ms", "p99 ms", "errors", "requests", "reach"
    );
    let load = Load::default();
    let measured = async {
        let mut killed = Vec::new();
        for round in 0..rounds {
            killed.extend(kill(&cluster, &load, round % cluster.servers.len()).await);
        }
        print(&load, "killed server", rounds, killed, "1000 added, 0 errors");
        let mut moved = Vec::new();
        for round in 0..rounds * 4 {
            moved.extend(relocate(&cluster, &load, round).await);
        }
        print(&load, "planned move", rounds * 4, moved, "100, 0 errors");
        load.over.store(true, Ordering::Relaxed);
    };
    let sessions = (0..SESSIONS).map(|number| work(&cluster, &load, number));
    futures::future::join(measured, futures::future::join_all(sessions)).await;
}

fn name(number: usize) -> String {
    format!("db{number}")
}

/// One session: inserts one after the other, with a new connection after an error.
async fn work(cluster: &Cluster, load: &Load, number: usize) {
    let database = name(number % DATABASES);
    while !load.over.load(Ordering::Relaxed) {
        let Ok(session) = cluster.connect(0, &database).await else {
            load.errors.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        while !load.over.load(Ordering::Relaxed) {
            let sent = Instant::now();
            if let Err(error) = session.batch_execute("INSERT INTO t VALUES (1)").await {
                load.errors.fetch_add(1, Ordering::Relaxed);
                eprintln!("{database}: {error:?}");
                break;
            }
            let answered = Answered { session: number, sent, took: sent.elapsed() };
            load.answered.lock().expect("nobody panics").push(answered);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Kills a server; the longest request of every session on what it owned, in milliseconds.
async fn kill(cluster: &Cluster, load: &Load, server: usize) -> Vec<f64> {
    let mut owned = Vec::new();
    for number in 0..DATABASES {
        if cluster.owner(&name(number)).await == Some(server) {
            owned.push(number);
        }
    }
    let from = Instant::now();
    cluster.servers[server].kill();
    tokio::time::sleep(AFTER).await;
    let longest = load.longest(from, |session| owned.contains(&(session % DATABASES)));
    cluster.servers[server].start();
    cluster.servers[server].ready().await;
    // A server that has just come has nothing: give it something to lose.
    for number in 0..DATABASES {
        let server = cluster.servers[number % cluster.servers.len()].name().to_owned();
        relocate_to(cluster, number, server).await;
    }
    longest
}

/// Moves one database; the longest request of every session on it, in milliseconds.
async fn relocate(cluster: &Cluster, load: &Load, round: usize) -> Vec<f64> {
    let number = round % DATABASES;
    let owner = cluster.owner(&name(number)).await.unwrap_or(0);
    let server = cluster.servers[(owner + 1) % cluster.servers.len()].name().to_owned();
    let from = Instant::now();
    relocate_to(cluster, number, server).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    load.longest(from, |session| session % DATABASES == number)
}

async fn relocate_to(cluster: &Cluster, number: usize, server: String) {
    let database = DatabaseRef::Name(name(number));
    cluster.operate(Operation::MoveDatabase { database, server }).await;
}

impl Load {
    /// The longest request of each of these sessions that was answered after `from`.
    fn longest(&self, from: Instant, of: impl Fn(usize) -> bool) -> Vec<f64> {
        let answered = self.answered.lock().expect("nobody panics");
        let longest = |session: usize| {
            let mine = answered.iter().filter(|answered| answered.session == session);
            let after = mine.filter(|answered| answered.sent + answered.took >= from);
            after.map(|answered| answered.took.as_secs_f64() * 1e3).max_by(f64::total_cmp)
        };
        (0..SESSIONS).filter(|session| of(*session)).filter_map(longest).collect()
    }
}

fn print(load: &Load, what: &str, events: usize, mut longest: Vec<f64>, reach: &str) {
    longest.sort_by(f64::total_cmp);
    let mut usual: Vec<f64> = {
        let answered = load.answered.lock().expect("nobody panics");
        answered.iter().map(|answered| answered.took.as_secs_f64() * 1e3).collect()
    };
    usual.sort_by(f64::total_cmp);
    let at = |values: &[f64], share: f64| {
        values.get((values.len() as f64 * share) as usize).or(values.last()).copied().unwrap_or(f64::NAN)
    };
    println!(
        "{what:<14} {events:>7} {:>9.1} {:>9.1} {:>9.1} {:>7} {:>9} {reach:>9}",
        at(&usual, 0.5),
        at(&longest, 0.5),
        at(&longest, 0.99),
        load.errors.load(Ordering::Relaxed),
        usual.len(),
    );
}
