//! Routes that are no longer true: refused by epoch, asked for anew, and the client notices nothing (R4, R19, C16).

use model::Epoch;
use rpc::{
    controller::{DatabaseRef, Operation},
    session as added,
};
use tests::{Cluster, Raw};

async fn assign(cluster: &Cluster, name: &str, server: usize) {
    let server = Some(cluster.servers[server].name().to_owned());
    cluster.operate(Operation::AssignDatabase { database: DatabaseRef::parse(name), server }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_notices_nothing_of_its_database_going_elsewhere_r19() {
    let cluster = Cluster::builder().start().await;
    cluster.create("walker").await;
    let session = cluster.session(0, "walker").await;
    session.batch_execute("CREATE TABLE t (n int)").await.expect("written");
    let prepared = session.prepare("INSERT INTO t VALUES ($1)").await.expect("prepared");
    for round in 0..6 {
        assign(&cluster, "walker", round % 3).await;
        assert_eq!(cluster.owner("walker").await, Some(round % 3));
        let n = i32::try_from(round).expect("small");
        if let Err(error) = session.execute(&prepared, &[&n]).await {
            panic!("the open session, round {round}: {error:?}\n{}", cluster.tails(30));
        }
        let fresh = cluster.session(round % 2, "walker").await;
        assert_eq!(fresh.one("SELECT count(*) FROM t").await.expect("answered"), (round + 1).to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_slept_through_a_move_asks_again_r19_c16() {
    let cluster = Cluster::builder().start().await;
    cluster.create("moved").await;
    let session = cluster.session(0, "moved").await;
    session.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (5)").await.expect("written");
    drop(session);
    let owner = cluster.owner("moved").await.expect("somebody serves it");
    cluster.handlers[0].pause();
    assign(&cluster, "moved", (owner + 1) % 3).await;
    cluster.handlers[0].resume();
    // Whether it hears of the move first or is refused first: both must end at the new owner.
    let session = cluster.session(0, "moved").await;
    assert_eq!(session.one("SELECT n FROM t").await.expect("answered"), "5");
    assert_eq!(cluster.owner("moved").await, Some((owner + 1) % 3));
}

/// Opens a session on a server as handlers do; gives what the server says in the end.
async fn attach(cluster: &Cluster, address: &str, database: &str, epoch: Epoch) -> (u8, Vec<u8>) {
    let password = cluster.secret().data_port_password();
    let mut raw = Raw::connect(address.parse().expect("an address")).await.expect("it listens");
    raw.send(&Raw::startup(&[
        ("user", added::USER),
        ("database", database),
        (added::PARAM_USER, "alice"),
        (added::PARAM_EPOCH, &epoch.to_string()),
        (added::PARAM_NAME, database),
        (added::PARAM_REQUEST, "0000000000000001"),
    ]))
    .await;
    raw.log_in(&password).await
}

#[tokio::test]
async fn a_server_refuses_every_epoch_but_its_own_r4_s1() {
    let cluster = Cluster::shared().await;
    let id = cluster.create("fenced").await.database.to_string();
    drop(cluster.session(0, "fenced").await);
    let info = cluster.info("fenced").await;
    let address = info.owner.clone().expect("somebody serves it").address;
    let (tag, _) = attach(cluster, &address, &id, info.epoch).await;
    assert_eq!(tag, b'Z', "its own epoch");
    for epoch in [Epoch(info.epoch.0 - 1), info.epoch.next()] {
        let (tag, body) = attach(cluster, &address, &id, epoch).await;
        assert_eq!(tag, b'E', "epoch {epoch}");
        let fields = Raw::fields(&body);
        assert_eq!(fields[&'C'], added::NOT_OWNER);
        assert_eq!(
            fields.get(&'D').and_then(|detail| added::epoch_of(detail)),
            Some(info.epoch),
            "{fields:?}"
        );
    }
}
