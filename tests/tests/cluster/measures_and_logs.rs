//! What operators see: metrics that any Prometheus reads, and one request found in every log that it touched.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tests::{Cluster, Process, Sample, get, parse_metrics, until};

/// The few databases of each server that use most, at most 20, are the one exception.
const TOP: &str = "stationmaster_server_topdb_";

async fn scrape(process: &Process) -> Vec<Sample> {
    let (status, page) = get(process.admin(), "/metrics").await.expect("the admin port answers");
    assert_eq!(status, 200);
    parse_metrics(&page).unwrap_or_else(|error| panic!("{}: {error}", process.name()))
}

/// The labels of every series but a histogram's bounds.
fn series(samples: &[Sample]) -> BTreeSet<(String, BTreeMap<String, String>)> {
    samples.iter().map(|sample| (sample.name.clone(), sample.labels.clone())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_parse_and_no_label_grows_with_the_fleet_c10_c11() {
    let cluster = Cluster::builder().start().await;
    let work = async |from: usize, to: usize| {
        for number in from..to {
            let name = format!("measured_{number}");
            cluster.create(&name).await;
            for handler in 0..2 {
                let session = cluster.session(handler, &name).await;
                session.batch_execute("CREATE TABLE IF NOT EXISTS t (n int)").await.expect("done");
            }
            drop(cluster.connect(0, &format!("missing_{number}")).await.err().expect("nobody has it"));
        }
    };
    work(0, 6).await;
    let mut before = BTreeMap::new();
    for process in cluster.processes() {
        before.insert(process.name().to_owned(), series(&scrape(process).await));
    }
    work(6, 40).await;
    for process in cluster.processes() {
        let samples = scrape(process).await;
        for Sample { name, labels, .. } in &samples {
            let ours = name.starts_with("stationmaster_") || name.starts_with("process_");
            assert!(ours, "{}: {name} has no prefix of ours", process.name());
            for (label, value) in labels {
                let unbounded =
                    value.contains("measured_") || value.contains("missing_") || value.starts_with("db-");
                assert!(
                    !unbounded || name.starts_with(TOP),
                    "{}: {name} has {label}={value}",
                    process.name()
                );
            }
        }
        let top = samples.iter().filter(|sample| sample.name.starts_with(TOP)).count();
        assert!(top <= 2 * 20, "{}: {top} series of single databases", process.name());
        // 34 more databases: what appears for the first time late is fine, one series each is not.
        let after = series(&samples);
        let new = after.difference(&before[process.name()]);
        let new = new.filter(|(name, _)| !name.starts_with(TOP)).count();
        assert!(new < 34, "{}: {new} more series after 34 more databases", process.name());
        let counters = samples.iter().filter(|sample| sample.name.ends_with("_total"));
        assert!(counters.count() > 0, "{} counts nothing", process.name());
    }
}

#[tokio::test]
async fn every_process_is_alive_and_ready_and_says_why_not_when_it_is_not() {
    let cluster = Cluster::builder().handlers(1).servers(1).start().await;
    for process in cluster.processes() {
        for path in ["/livez", "/readyz"] {
            assert_eq!(
                get(process.admin(), path).await.expect("answered").0,
                200,
                "{} {path}",
                process.name()
            );
        }
        assert_eq!(get(process.admin(), "/nothing").await.expect("answered").0, 404);
    }
    let leader = cluster.leader().await;
    // Whether it led or followed: alone it can decide nothing.
    for left in [leader, (leader + 1) % 3] {
        let others =
            cluster.controllers.iter().filter(|other| other.name() != cluster.controllers[left].name());
        others.clone().for_each(Process::kill);
        let left = &cluster.controllers[left];
        until("the last controller says that it is alone", async || {
            let (status, body) = get(left.admin(), "/readyz").await.map_err(|error| error.to_string())?;
            if status == 503 && body.contains("2 of 3") { Ok(()) } else { Err(format!("{status} {body}")) }
        })
        .await;
        assert_eq!(get(left.admin(), "/livez").await.expect("answered").0, 200, "it lives all the same");
        others.clone().for_each(Process::start);
        for controller in &cluster.controllers {
            controller.ready().await;
        }
    }
}

/// Every request id in a log of JSON lines.
fn requests(process: &Process) -> BTreeSet<String> {
    let text = process.log().text();
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        collect(&line, &mut found);
    }
    found
}

/// The `request` fields of a line and of its spans.
fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(id) if key == "request" => drop(found.insert(id.clone())),
                    _ => collect(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_is_found_in_the_logs_of_handler_controller_and_server_c9() {
    let cluster = Cluster::builder().log("format", "json").start().await;
    cluster.create("traced").await;
    cluster.unassign("traced").await;
    drop(cluster.session(0, "traced").await);
    until("one request id is in three logs", async || {
        let union = |processes: &[Process]| processes.iter().flat_map(requests).collect::<BTreeSet<String>>();
        let (handlers, controllers, servers) =
            (union(&cluster.handlers), union(&cluster.controllers), union(&cluster.servers));
        let common = handlers.iter().find(|id| controllers.contains(*id) && servers.contains(*id));
        common
            .cloned()
            .ok_or_else(|| format!("handlers {handlers:?}, controllers {controllers:?}, servers {servers:?}"))
    })
    .await;
}

#[tokio::test]
async fn no_log_holds_a_secret() {
    let cluster = Cluster::shared().await;
    drop(cluster.session(0, "stationmaster").await);
    for process in cluster.processes() {
        let text = process.log().text();
        for secret in
            [tests::PASSWORD.to_owned(), cluster.secret().reveal(), cluster.secret().data_port_password()]
        {
            assert!(!text.contains(&secret), "{} has logged a secret", process.name());
        }
    }
}
