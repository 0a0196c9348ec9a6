//! A database that nobody has is assigned by the first request for it, once, however many ask at a time (R3, R10).

use futures::future::join_all;
use tests::Cluster;

const CLIENTS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_first_requests_make_one_assignment_and_one_load_r3_r10() {
    let cluster = Cluster::builder().start().await;
    cluster.create("wanted").await;
    cluster.unassign("wanted").await;
    let before = cluster.info("wanted").await;
    assert_eq!(before.owner, None);
    let loads = cluster.metric(&cluster.servers, "stationmaster_server_loads_total").await;
    let (assigned, rejected) = proposed(&cluster).await;

    let answers = join_all((0..CLIENTS).map(async |client| {
        let session = cluster.session(client % 2, "wanted").await;
        session.one("select 1").await.expect("answered")
    }));
    assert_eq!(answers.await, ["1"; CLIENTS]);

    let after = cluster.info("wanted").await;
    assert_eq!(after.epoch, before.epoch.next(), "one change of owner");
    // What servers and the leader tell meanwhile, of loads and of heartbeats, is in the log as well.
    assert_eq!(proposed(&cluster).await, (assigned + 1.0, rejected), "one entry in the log gives it away");
    let loaded = cluster.metric(&cluster.servers, "stationmaster_server_loads_total").await - loads;
    assert_eq!(loaded, 1.0, "one load");
}

/// How many databases the leaders gave to servers, and how many entries the maps said no to.
async fn proposed(cluster: &Cluster) -> (f64, f64) {
    let controllers = &cluster.controllers;
    let assigned = cluster.metric(controllers, "stationmaster_controller_assignments_total").await;
    let rejected = [("result", "rejected")];
    (assigned, cluster.metric_with(controllers, "stationmaster_controller_changes_total", &rejected).await)
}

#[tokio::test]
async fn the_first_request_loads_a_database_and_the_second_does_not_r3_r4() {
    let cluster = Cluster::builder().start().await;
    cluster.create("cold").await;
    let loads = async || cluster.metric(&cluster.servers, "stationmaster_server_loads_total").await;
    let owner = cluster.owner("cold").await.expect("it is created assigned");
    drop(cluster.session(0, "cold").await);
    assert_eq!(loads().await, 1.0);
    let others: f64 = {
        let mut sum = 0.0;
        for (_, server) in cluster.servers.iter().enumerate().filter(|(index, _)| *index != owner) {
            sum += cluster.metric(std::slice::from_ref(server), "stationmaster_server_loads_total").await;
        }
        sum
    };
    assert_eq!(others, 0.0, "only the assigned server has loaded it");
    for handler in [0, 1, 0, 1] {
        let session = cluster.session(handler, "cold").await;
        assert_eq!(session.one("select 1").await.expect("answered"), "1");
    }
    assert_eq!(loads().await, 1.0, "it was loaded already");
}
