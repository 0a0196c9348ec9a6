//! A hundred clients measure because somebody asks for it, and stop when they are told; what the slow ones have in common
//! is found (R76, R78, R80, R95-R97).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use driver::{Config, Driver};
use serde_json::Value;
use tests::{Cluster, PASSWORD, USER, until, wan};

const CLIENTS: usize = 100;
/// Of them, those at the end of a long line.
const FAR: usize = 9;
/// One way.
const LINE: Duration = Duration::from_millis(1_500);

struct Crowd {
    drivers: Vec<Driver>,
    over: Arc<AtomicBool>,
}

impl Crowd {
    /// Clients that ask something every second, each with a driver of its own.
    async fn begin(cluster: &Cluster) -> Self {
        let mut lines = Vec::new();
        for handler in 0..2 {
            lines.push(wan::to(cluster.handler_address(handler), LINE).await);
        }
        let over = Arc::new(AtomicBool::new(false));
        let begin = async |number: usize| {
            let far = number < FAR;
            let address = if far { lines[number % 2] } else { cluster.handler_address(number % 2) };
            let mut config = tokio_postgres::Config::new();
            config.host(address.ip().to_string()).port(address.port());
            config.user(USER).password(PASSWORD).dbname("measured");
            config.application_name(["till", "shop", "stock"][number % 3]);
            let location = Some(if far { "far" } else { "near" }.to_owned());
            let driver = Driver::new(Config { location, ..config.into() }).expect("a driver");
            let client = driver.connect().await.expect("connected");
            let over = over.clone();
            // Prepared once: a request and its answer are all that goes over the line.
            let statement = client.prepare("SELECT 1").await.expect("prepared");
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    client.query_one(&statement, &[]).await.expect("answered");
                    tokio::time::sleep(Duration::from_millis(1_000)).await;
                }
            });
            driver
        };
        let drivers = futures::future::join_all((0..CLIENTS).map(begin)).await;
        Self { drivers, over }
    }

    fn collecting(&self) -> usize {
        self.drivers.iter().filter(|driver| !driver.status().collecting.is_empty()).count()
    }
}

fn report(cluster: &Cluster, more: &[&str]) -> Value {
    let asked = ["telemetry", "report", "--database", "measured", "--slow", "2500ms", "--json"];
    cluster.cli().run(&[&asked[..], more].concat()).json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_clients_measure_when_asked_tell_what_is_wrong_and_stop_r76_r78_r80_r95_r96_r97() {
    let cluster = Cluster::builder().controllers(1).handlers(2).servers(2).start().await;
    cluster.create("measured").await;
    cluster.let_send().await;
    let crowd = Crowd::begin(&cluster).await;
    let cli = cluster.cli();
    assert_eq!(report(&cluster, &[])["clients"], 0, "nobody measures unasked");

    let began = Instant::now();
    let start = ["telemetry", "start", "--for", "10min", "--every", "1s", "--database", "measured"];
    cli.run(&start).ok();
    until("all clients have told", async || {
        let found = report(&cluster, &[]);
        if found["clients"] == CLIENTS { Ok(()) } else { Err(found) }
    })
    .await;
    let reported = began.elapsed();
    assert_eq!(crowd.collecting(), CLIENTS);

    until("the far ones are found slow, and what they have in common", async || {
        let found = report(&cluster, &["--clients"]);
        let factor = &found["factors"][0];
        let said = ["bad", "clients", "others_bad"].map(|key| factor[key].as_u64());
        let named = (factor["factor"].as_str(), factor["value"].as_str()) == (Some("location"), Some("far"));
        let each = found["each"].as_array().map_or(0, Vec::len);
        let right = named && said[..2] == [Some(FAR as u64); 2] && each == CLIENTS;
        if right { Ok(()) } else { Err(found) }
    })
    .await;
    let text = cli.run(&["telemetry", "report", "--slow", "2500ms", "--clients"]);
    assert!(text.ok().contains("location far: 9 of 9 there"), "{}", text.stdout);
    let columns = ["handler-1", "handler-2", "rust-", "till"];
    assert!(columns.iter().all(|word| text.ok().contains(word)), "{}", text.stdout);

    let began = Instant::now();
    cli.run(&["telemetry", "stop"]).ok();
    until("all clients have stopped", async || match crowd.collecting() {
        0 => Ok(()),
        left => Err(left),
    })
    .await;
    println!(
        "{CLIENTS} clients: all had reported after {reported:?}, all had stopped after {:?}",
        began.elapsed()
    );
    // What was on its way when they stopped has arrived.
    let taken = async || {
        let labels = [("outcome", "taken")];
        cluster.metric_with(&cluster.servers, "stationmaster_server_client_reports_total", &labels).await
    };
    let mut before = taken().await;
    until("nothing comes any more", async || {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let now = taken().await;
        let same = now == before;
        before = now;
        if same { Ok(()) } else { Err(now) }
    })
    .await;
    assert!(before >= CLIENTS as f64);
    crowd.over.store(true, Ordering::Relaxed);
}
