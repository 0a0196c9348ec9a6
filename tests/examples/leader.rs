//! How long changes wait when the leading controller ends, is killed or is paused, and what handlers' look-ups notice of
//! it. Real processes. The second half of `cargo xtask bench leader` is an example of the package `controller`.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tests::Cluster;

/// How a leader ceases to be one.
#[derive(Clone, Copy)]
enum End {
    Stopped,
    Killed,
    Paused,
}

/// What handlers noticed: sessions opened meanwhile, the slowest of them, and errors.
#[derive(Default)]
struct LookUps {
    over: AtomicBool,
    count: AtomicUsize,
    errors: AtomicUsize,
    slowest: Mutex<Duration>,
}

impl LookUps {
    fn took(&self, time: Duration) {
        let mut slowest = self.slowest.lock().expect("nobody panics");
        *slowest = slowest.max(time);
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(10, |text| text.parse().expect("a number"));
    let cluster = Cluster::builder().servers(1).handlers(1).start().await;
    cluster.create("known").await;
    println!(
        "{:<34} {:>6} {:>10} {:>7} {:>10} {:>11} {:>7}",
        "the leader is", "rounds", "median ms", "max ms", "look-ups", "slowest ms", "errors"
    );
    for (what, end) in [
        ("stopped (SIGTERM)", End::Stopped),
        ("killed (SIGKILL)", End::Killed),
        ("paused (SIGSTOP)", End::Paused),
    ] {
        let (look_ups, mut waits) = (LookUps::default(), Vec::new());
        let measured = async {
            for round in 0..rounds {
                waits.push(once(&cluster, end, &format!("{}_{round}", &what[..6])).await);
            }
            look_ups.over.store(true, Ordering::Relaxed);
        };
        futures::future::join(measured, look_up(&cluster, &look_ups)).await;
        waits.sort();
        println!(
            "{what:<34} {rounds:>6} {:>10.0} {:>7.0} {:>10} {:>11.0} {:>7}",
            ms(waits[waits.len() / 2]),
            ms(*waits.last().expect("a round")),
            look_ups.count.load(Ordering::Relaxed),
            ms(*look_ups.slowest.lock().expect("nobody panics")),
            look_ups.errors.load(Ordering::Relaxed),
        );
    }
}

/// Ends a leader; how long the next change takes from then on.
async fn once(cluster: &Cluster, end: End, name: &str) -> Duration {
    let leader = cluster.leader().await;
    // Whoever waits knows the leader.
    let client = cluster.rpc();
    create(&client, &format!("{name}_before")).await;
    let controller = &cluster.controllers[leader];
    let began = Instant::now();
    match end {
        End::Stopped => drop(controller.terminate().await),
        End::Killed => controller.kill(),
        End::Paused => controller.pause(),
    }
    create(&client, name).await;
    let took = began.elapsed();
    match end {
        End::Stopped | End::Killed => controller.start(),
        End::Paused => controller.resume(),
    }
    controller.ready().await;
    cluster.agreed().await;
    took
}

async fn create(client: &rpc::Controllers, name: &str) {
    let key = model::IdempotencyKey(rand::random());
    let create = rpc::controller::Operation::CreateDatabase { name: name.to_lowercase(), key };
    client.operate(model::RequestId(1), create).await.expect("some leader takes it");
}

/// Opens one session after the other through a handler, each of which looks the database up.
async fn look_up(cluster: &Cluster, seen: &LookUps) {
    while !seen.over.load(Ordering::Relaxed) {
        let began = Instant::now();
        if cluster.connect(0, "known").await.is_err() {
            seen.errors.fetch_add(1, Ordering::Relaxed);
        }
        seen.took(began.elapsed());
        seen.count.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
