//! A real Prometheus server feeds placement: what it says of a server moves databases, and its silence stops that (C18).

use std::time::Duration;

use futures::FutureExt;
use rpc::load::{LoadSource, LoadsInfo};
use tests::{Cluster, Exporter, Ports, Prometheus, Role, until};
use tokio::task::JoinHandle;

/// Databases, all of them in use.
const DATABASES: usize = 6;

async fn loads(cluster: &Cluster) -> Result<LoadsInfo, String> {
    let call = |client: rpc::controller::ControllerApiClient, context| {
        async move { client.loads(context).await }.boxed()
    };
    cluster.rpc().leader(call).await.map_err(|error| error.to_string())
}

/// What Prometheus says of each server by name, where that is what counts; in percent.
fn counted(info: &LoadsInfo) -> Vec<Option<i64>> {
    let mut servers: Vec<_> = info.servers.iter().collect();
    servers.sort_by(|a, b| a.name.cmp(&b.name));
    let of_prometheus = |server: &rpc::load::ServerLoadInfo| {
        let source = server.sources.iter().find(|source| Some(source.source) == server.uses)?;
        (source.source == LoadSource::Prometheus).then_some((source.utilization? * 100.0).round() as i64)
    };
    servers.into_iter().map(of_prometheus).collect()
}

/// A little more or less may have come or gone with databases.
fn near(counted: &[Option<i64>], expected: &[Option<i64>]) -> bool {
    let near = |(counted, expected): (&Option<i64>, &Option<i64>)| match (counted, expected) {
        (Some(counted), Some(expected)) => (counted - expected).abs() <= 5,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    counted.len() == expected.len() && counted.iter().zip(expected).all(near)
}

async fn wait_for(cluster: &Cluster, what: &str, expected: [Option<i64>; 2]) {
    until(what, async || {
        let info = loads(cluster).await?;
        let good = near(&counted(&info), &expected) && info.stale.is_some() == expected.contains(&None);
        if good { Ok(()) } else { Err(format!("{info:?}")) }
    })
    .await;
}

/// A client that never stops working.
async fn work(cluster: &Cluster, database: &str) -> JoinHandle<()> {
    const SUM: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT count(*) FROM n";
    let session = cluster.session(0, database).await;
    tokio::spawn(async move {
        loop {
            session.one(SUM).await.expect("no client sees an error");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_moves_databases_and_its_silence_stops_that_c18() {
    let exporter = Exporter::start(&[("server-1", 0.3), ("server-2", 0.3)]).await;
    let ports = Ports::reserve();
    let address = ports.next();
    let settings = [
        ("load.sources", "[\"prometheus\"]".to_string()),
        ("load.warmup_ms", "1000".into()),
        ("prometheus.urls", format!("[\"http://{address}\"]")),
        ("prometheus.interval_ms", "500".into()),
        ("prometheus.warmup_ms", "1000".into()),
        ("prometheus.max_age_ms", "20000".into()),
        ("prometheus.server_load", "\"fleet_load\"".into()),
        ("prometheus.age", "\"time() - timestamp(fleet_load)\"".into()),
        ("prometheus.coverage", "\"count_over_time(fleet_load[30s])\"".into()),
        ("balance.interval_ms", "300".into()),
        ("balance.sustain_ms", "0".into()),
    ];
    let builder = Cluster::builder().controllers(1).handlers(1).servers(2);
    let builder =
        settings.iter().fold(builder, |builder, (key, value)| builder.set(Role::Controller, key, value));
    let cluster = builder.start().await;
    let prometheus = Prometheus::start(cluster.directory(), address, &[exporter.address()]);
    let mut clients = Vec::new();
    for database in 0..DATABASES {
        let name = format!("weighed_{database}");
        cluster.create(&name).await;
        clients.push(work(&cluster, &name).await);
    }
    wait_for(&cluster, "what is scraped counts", [Some(30), Some(30)]).await;
    let before = cluster.owned().await.expect("a controller answers");
    assert!(before.iter().all(|databases| *databases > 0), "{before:?}");

    // Only what is exported of one server rises: databases leave it.
    exporter.show(&[("server-1", 0.95), ("server-2", 0.1)]);
    let fewer = |owned: &[u64]| owned[0] < before[0];
    cluster.until_owned("databases leave the server that is said to be loaded", fewer).await;
    let log = until("the move is told of", async || {
        let log = cluster.cli().run(&["placement", "log"]).stdout;
        if log.contains("prometheus") { Ok(log) } else { Err(log) }
    })
    .await;
    assert!(log.contains("server-2"), "{log}");

    // What makes no sense is not used, and half of the servers are not known.
    exporter.show(&[("server-1", 0.95), ("server-2", f64::NAN)]);
    wait_for(&cluster, "only what makes sense counts", [Some(95), None]).await;
    let listed = cluster.cli().run(&["loads", "list"]);
    assert!(listed.stdout.contains("its load is NaN"), "{listed:?}");
    until("a metric says so", async || {
        let stale = cluster.metric(&cluster.controllers, "stationmaster_controller_load_stale").await;
        if stale == 1.0 { Ok(()) } else { Err(stale) }
    })
    .await;
    until("an event says so", async || {
        let events = cluster.cli().run(&["events"]).stdout;
        if events.contains("loads stale") { Ok(()) } else { Err(events) }
    })
    .await;

    // Nobody is scraped any more, and nothing is moved, round after round, whatever was said last.
    exporter.fall_silent();
    wait_for(&cluster, "nothing counts any more", [None; 2]).await;
    let held = cluster.owned().await;
    let asked = async || {
        cluster.metric(&cluster.controllers, "stationmaster_controller_prometheus_queries_total").await
    };
    let from = asked().await;
    until("Prometheus was asked some more", async || {
        let more = asked().await - from;
        if more >= 20.0 { Ok(()) } else { Err(format!("{more} queries")) }
    })
    .await;
    assert_eq!(cluster.owned().await, held, "nothing is moved by what nobody knows");

    // It is scraped again, and says the opposite: databases go the other way.
    exporter.show(&[("server-1", 0.05), ("server-2", 0.99)]);
    let held = held.expect("a controller answers");
    cluster.until_owned("databases are moved again", |owned| owned[1] < held[1]).await;
    assert!(clients.iter().all(|client| !client.is_finished()), "no client sees an error");
    clients.iter().for_each(JoinHandle::abort);

    drop(prometheus);
    until("its own silence is told", async || {
        let info = loads(&cluster).await?;
        let told = info.prometheus_trouble.as_deref().is_some_and(|why| why.contains("refused"));
        if told { Ok(()) } else { Err(format!("{info:?}")) }
    })
    .await;
}
