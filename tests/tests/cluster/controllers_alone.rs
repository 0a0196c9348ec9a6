//! The controllers as an assignment service for others: the example of `crates/rpc`, run against real ones (R38, R39).

// Its `main` is for people.
#[allow(dead_code)]
#[path = "../../../crates/rpc/examples/assignment.rs"]
mod assignment;

use tests::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_registers_is_given_a_thing_looks_it_up_and_watches_r38_r39() {
    let cluster = Cluster::builder().handlers(0).servers(0).start().await;
    let addresses = (0..3).map(|at| cluster.controller_address(at).to_string()).collect();
    let said = assignment::run(addresses, &cluster.secret_file()).await.expect("it works");
    let expected = [
        "registered example-shard",
        "routed to 127.0.0.1:9 under the epoch that it was told: true",
        "looked up: example-shard",
    ];
    assert_eq!(said[..3], expected, "{said:#?}");
    assert!(said.contains(&"watched: the thing is nobody's at epoch 2".to_string()), "{said:#?}");
    cluster.agreed().await;
}
