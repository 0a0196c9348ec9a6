//! How long changes wait when the leading controller is cut off, or its disk stalls. Real disks and a network in memory,
//! as in the tests of this package. Half of `cargo xtask bench leader`.

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/cluster/disk.rs"]
mod disk;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/cluster/fleet.rs"]
mod fleet;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/cluster/net.rs"]
mod net;

use std::time::{Duration, Instant};

use fleet::{Fleet, address};
use model::RequestId;
use rpc::{Controllers, controller::Operation};

/// What happens to the leader.
#[derive(Clone, Copy)]
enum Trouble {
    /// Nobody reaches it.
    CutOff,
    /// The other controllers do not reach it; clients do.
    Isolated,
    /// Its disk does not finish a write.
    Stalled,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(10, |text| text.parse().expect("a number"));
    let (fleet, hands) = disk::fleet(|_| ()).await;
    println!("{:<34} {:>6} {:>10} {:>7}", "the leader is", "rounds", "median ms", "max ms");
    for (what, trouble) in [
        ("cut off from everybody", Trouble::CutOff),
        ("cut off from the controllers", Trouble::Isolated),
        ("on a disk that stalls", Trouble::Stalled),
    ] {
        let mut waits = Vec::new();
        for _ in 0..rounds {
            let leader = fleet.leader().await;
            let client = fleet.client();
            create(&fleet, &client).await;
            let began = Instant::now();
            match trouble {
                Trouble::CutOff => fleet.net.cut_off(&address(leader)),
                Trouble::Isolated => isolate(&fleet, leader),
                Trouble::Stalled => drop(hands[&leader].send_replace(true)),
            }
            create(&fleet, &client).await;
            waits.push(began.elapsed());
            if let Trouble::Stalled = trouble {
                // Until leadership has left it, so that each round stalls a new leader.
                while fleet.leader().await == leader {
                    create(&fleet, &client).await;
                }
            }
            fleet.net.reconnect(&address(leader));
            fleet.net.mend();
            hands[&leader].send_replace(false);
            fleet.agreed().await;
        }
        waits.sort();
        let ms = |wait: Duration| wait.as_secs_f64() * 1e3;
        let (median, max) = (waits[waits.len() / 2], waits[waits.len() - 1]);
        println!("{what:<34} {rounds:>6} {:>10.0} {:>7.0}", ms(median), ms(max));
    }
}

fn isolate(fleet: &Fleet, id: u64) {
    for other in fleet.ids().into_iter().filter(|other| *other != id) {
        fleet.net.sever(&address(id), &address(other));
    }
}

async fn create(fleet: &Fleet, client: &Controllers) {
    let key = fleet.key();
    let create = Operation::CreateDatabase { name: format!("db{}", key.0), key };
    client.operate(RequestId(1), create).await.expect("some leader takes it");
}
