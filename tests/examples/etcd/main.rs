//! The map beside etcd: three members each, on the same disk, every write synced by a majority, under the same load in
//! alternating rounds. `cargo xtask bench etcd`.
//!
//! Both get as many connections for as many clients. Writes and linearizable reads go straight to the leader, which
//! saves etcd a hop; serializable reads go to all three. The generator shares the machine with both, and the ratios of
//! rounds side by side are the solid figures; so is CPU time for each operation, which does not depend on what else the
//! machine does.
//!
//! Look-ups are measured twice, of the same thousand each time: with nothing else there, and right after the writes,
//! beside all that these left. etcd 3.4 is two to four times as quick before many writes, or restarted after them.

mod etcd;
mod grpc;
mod load;
mod map;
mod report;
mod watching;

use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    time::{Duration, Instant},
};

use tests::Cluster;
use tikv_jemallocator::Jemalloc;

use etcd::Etcd;
use load::{Round, Work};
use map::Map;
use report::Compared;

/// The generator takes a quarter of the machine, more beside us than beside etcd: the less of it the better.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Databases, or keys, that reads find.
pub const KEYS: u64 = 1_000;
/// Clients that share a connection, in both systems.
pub const CLIENTS_A_CONNECTION: usize = 32;
const CLIENTS: [usize; 3] = [1, 64, 512];

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Creates a database and assigns it to a server, in one entry of the log; puts a key that is not there yet.
    Write,
    /// Confirmed by a majority.
    Linearizable,
    /// From the applied state of any member.
    Serializable,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Write, Self::Linearizable, Self::Serializable];
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let rounds = arguments.next().unwrap_or(5);
    let length = Duration::from_secs(arguments.next().unwrap_or(2));
    let cluster = Cluster::builder().handlers(0).servers(1).start().await;
    let etcd = Etcd::start(&cluster).await;
    let map = Map::of(&cluster).await;
    for key in 0..KEYS {
        map.prepare(key).await;
        etcd.prepare(key).await;
    }
    let own = i32::try_from(std::process::id()).expect("a process id");
    println!("{}", etcd::version());
    println!("fdatasync of 4 KiB on this disk: {:.2} ms (median)", sync_time(cluster.directory()));
    report::head();
    for kind in [Kind::Linearizable, Kind::Serializable] {
        compare(&map, &etcd, kind, 64, rounds, length).await.row("");
    }
    for kind in Kind::ALL {
        for clients in CLIENTS {
            let compared = compare(&map, &etcd, kind, clients, rounds, length).await;
            compared.row(reach(kind, clients));
        }
        if kind == Kind::Write {
            report::kept(map.len(), etcd.len());
        }
    }
    watching::compare(&map, &etcd, rounds, length).await;
    let cached = handler::measure::Cached::fill();
    let before = cpu(&[own]);
    let found = cached.look_up().await;
    report::cached(found, cpu(&[own]) - before);
}

/// Both in alternating rounds.
async fn compare(
    map: &Map<'_>,
    etcd: &Etcd,
    kind: Kind,
    clients: usize,
    rounds: u64,
    length: Duration,
) -> Compared {
    let mut compared = Compared { kind, clients, ours: Vec::new(), theirs: Vec::new() };
    for _ in 0..rounds {
        compared.ours.push(round(&map.pids(), map.workers(kind, clients).await, length).await);
        compared.theirs.push(round(&etcd.pids(), etcd.workers(kind, clients).await, length).await);
    }
    compared
}

/// What the ratio of rates should reach.
fn reach(kind: Kind, clients: usize) -> &'static str {
    match (kind, clients) {
        (Kind::Write, 64) => "2",
        (Kind::Write, 512) => "3",
        (Kind::Linearizable, 64) => "12",
        (Kind::Serializable, 64) => "25",
        (Kind::Write | Kind::Linearizable | Kind::Serializable, _) => "",
    }
}

/// One round of one system.
async fn round<W: Work>(pids: &[i32], workers: Vec<W>, length: Duration) -> Round {
    let before = cpu(pids);
    let began = Instant::now();
    let mut took = load::run(workers, length).await;
    let elapsed = began.elapsed();
    let cpu = cpu(pids) - before;
    took.sort_unstable();
    Round { took, elapsed, cpu }
}

/// User and system time that these processes have used.
fn cpu(pids: &[i32]) -> Duration {
    let ticks = pids.iter().map(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        let fields = stat.rsplit_once(')').expect("a name in brackets").1.split_whitespace();
        // User and system time are fields 14 and 15, the first after the name is the third.
        fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum::<u64>()
    });
    Duration::from_secs(ticks.sum()) / u32::try_from(rustix::param::clock_ticks_per_second()).expect("small")
}

/// How long the disk takes to make 4 KiB durable that follow others, in milliseconds.
fn sync_time(directory: &Path) -> f64 {
    let file = File::create(directory.join("sync-time")).expect("a file of our own");
    let mut times: Vec<Duration> = (0..200)
        .map(|at| {
            let began = Instant::now();
            file.write_all_at(&[1; 4096], at * 4096)
                .and_then(|()| file.sync_data())
                .expect("it can be written");
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}
