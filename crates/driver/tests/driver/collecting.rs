//! Measuring when asked to, and telling only whom the owner named.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use directive::{
    Action, Outcome, Scope,
    action::{Buffers, Collect, StopCollecting, Subject, Upload},
    postgres::read_report,
};
use driver::{Config, Destination, Driver};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{LONG, Server, ask, config, connect, until};

fn collect(name: &str) -> Action {
    Action::Collect(Collect {
        name: name.into(),
        of: Subject::ALL.into(),
        interval_ms: 100,
        bytes_max: 65_536,
        sample_per_mille: 1_000,
    })
}

fn upload(destination: &str) -> Action {
    Action::Upload(Upload { destination: destination.into(), collection: None })
}

/// A path of our own, removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        Scratch(std::env::temp_dir().join(format!("driver-{}-{name}", std::process::id())))
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap_or_default()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn r76_r77_s8_a_collection_shows_client_calls_queries_and_errors_without_values() {
    let file = Scratch::new("collect");
    let server = Server::plain().await;
    let mut config = config(&server);
    config.destinations.insert("local".into(), Destination::File(file.0.clone()));
    config.postgres.application_name("reports");
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    server.direct(Scope::everything(), 600_000, upload("local"));
    let id = server.direct(Scope::everything(), 600_000, collect("slow"));
    server.acknowledgement(&id, |_| true).await;
    until(|| driver.status().collecting == ["slow"], || format!("{:?}", driver.status())).await;
    for _ in 0..3 {
        ask(&client, "SELECT v FROM t WHERE secret = 'hunter2' AND n = 4711").await.expect("answered");
    }
    server.break_all();
    ask(&client, "SELECT 1").await.expect("answered");
    let wanted = [
        "\"client\"",
        "memory_bytes",
        "\"application\"",
        "p99_us",
        "WHERE secret = ?",
        "\"errors\"",
        "reports",
    ];
    until(|| wanted.iter().all(|one| file.text().contains(one)), || file.text()).await;
    assert!(!file.text().contains("hunter2") && !file.text().contains("4711"), "{}", file.text());
    for line in file.text().lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("each line is JSON");
    }
}

#[tokio::test]
async fn r97_a_collection_stops_when_told_and_its_buffers_go() {
    let file = Scratch::new("stop");
    let server = Server::plain().await;
    let mut config = config(&server);
    config.destinations.insert("local".into(), Destination::File(file.0.clone()));
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    server.direct(Scope::everything(), 600_000, upload("local"));
    server.direct(Scope::everything(), 600_000, collect("slow"));
    until(|| !file.text().is_empty(), || format!("{:?}", driver.status())).await;
    let stop = StopCollecting { name: None, buffers: Buffers::Drop };
    let id = server.direct(Scope::everything(), 600_000, Action::StopCollecting(stop));
    server.acknowledgement(&id, |one| one.outcome == Outcome::Done).await;
    until(|| driver.status().collecting.is_empty(), || format!("{:?}", driver.status())).await;
    ask(&client, "SELECT 'after'").await.expect("answered");
    assert!(driver.status().directives.in_force.iter().all(|one| !one.slot.starts_with("collect")));
}

#[tokio::test]
async fn r78_reports_reach_the_server_in_the_session() {
    let server = Server::plain().await;
    let (_driver, _client) = connect(&server).await;
    server.direct(Scope::everything(), 600_000, upload("server"));
    server.direct(Scope::everything(), 600_000, collect("slow"));
    let reports = || server.log().iter().filter_map(|sql| read_report(sql)).collect::<Vec<_>>();
    until(|| !reports().is_empty(), || format!("{:?}", server.log())).await;
    let report: serde_json::Value = serde_json::from_str(&reports()[0]).expect("JSON");
    assert!(report["resourceLogs"][0]["scopeLogs"][0]["logRecords"].is_array());
}

#[tokio::test]
async fn r79_reports_outlast_an_outage_of_their_collector() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let server = Server::plain().await;
    let mut config: Config = Config { call_timeout: LONG, ..config(&server) };
    config.destinations.insert("otlp".into(), Destination::Http(format!("http://{address}/v1/logs")));
    let driver = Driver::new(config).expect("a driver");
    let client = driver.connect().await.expect("connected");
    server.direct(Scope::everything(), 600_000, upload("otlp"));
    let id = server.direct(Scope::everything(), 600_000, collect("slow"));
    server.acknowledgement(&id, |_| true).await;
    until(|| !driver.status().collecting.is_empty(), || format!("{:?}", driver.status())).await;
    ask(&client, "SELECT v FROM before_the_collector_came").await.expect("answered");
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let seen = Arc::new(Mutex::new(Vec::<u8>::new()));
    let listener = TcpListener::bind(address).await.expect("the same port");
    let reading = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = [0; 65_536];
            while let Ok(count @ 1..) = socket.read(&mut bytes).await {
                reading.lock().expect("no panics").extend_from_slice(&bytes[..count]);
                if bytes[..count].ends_with(b"]}]}]}") {
                    break;
                }
            }
            // Whoever sent may be gone; what it sent is looked at below.
            let _ =
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    });
    let text = || String::from_utf8_lossy(&seen.lock().expect("no panics")).into_owned();
    until(|| text().contains("before_the_collector_came"), text).await;
    assert!(text().starts_with("POST /v1/logs HTTP/1.1\r\n"), "{}", text());
}

#[tokio::test]
async fn r79_r89_a_destination_that_the_owner_did_not_name_is_refused() {
    let server = Server::plain().await;
    let (driver, _client) = connect(&server).await;
    let id = server.direct(Scope::everything(), 600_000, upload("elsewhere"));
    let refused = server.acknowledgement(&id, |_| true).await;
    assert!(matches!(refused.outcome, Outcome::Refused { .. }));
    assert!(driver.status().directives.in_force.is_empty());
}
