//! Disks that do not finish a write: leadership goes to a controller whose disk works, and changes go on.

use std::time::Duration;

use rpc::Refusal;
use rpc::controller::Consistency;
use tokio::time::{sleep, timeout};

use crate::{
    disk::fleet,
    fleet::{eventually, look_up, route},
    server::Server,
};

#[tokio::test]
async fn a_leader_whose_disk_stalls_hands_over_and_changes_go_on_c13_c17() {
    let (fleet, hands) = fleet(|_| ()).await;
    let server = Server::start(&fleet, "s1", 1).await;
    fleet.create("before").await.expect("a free name");
    let routed = route(&fleet.client(), "before", None).await.expect("its server is up");
    let stalled = fleet.leader().await;
    hands[&stalled].send_replace(true);
    for number in 0..20 {
        let created = timeout(Duration::from_secs(10), fleet.create(&format!("meanwhile_{number}"))).await;
        created.expect("it does not wait for the disk").expect("a free name");
        sleep(Duration::from_millis(100)).await;
    }
    eventually("another leader", || async { (fleet.leader().await != stalled).then_some(()) }).await;
    let leader = fleet.leader().await;
    assert_eq!(fleet.status(stalled).await.state, "stalled");
    fleet.create("after").await.expect("the next leader takes it");
    // Whoever asks the one that stalls is sent on at once, and shown nothing.
    let asked = fleet.raw(stalled).await;
    let refused = asked.heartbeat(
        rpc::context(),
        rpc::controller::Heartbeat {
            server: server.registered.server,
            incarnation: server.shared.incarnation,
            load: rpc::controller::ServerLoad::default(),
            put_away: Vec::new(),
        },
    );
    let refused = refused.await.expect("it answers").expect_err("it leads no more");
    assert_eq!(refused, Refusal::NotLeader { leader: Some(crate::fleet::address(leader)) });

    hands[&stalled].send_replace(false);
    fleet.agreed().await;
    assert_eq!(fleet.leader().await, leader, "it comes back as a follower");
    let again = route(&fleet.client(), "before", None).await.expect("its server is up");
    assert_eq!((again.epoch, again.owner), (routed.epoch, routed.owner), "no server lost its life over it");
    look_up(&fleet.client(), "meanwhile_0", Consistency::Linearizable).await.expect("it was acknowledged");
}

/// Handing leadership round would only add elections to the waiting.
#[tokio::test]
async fn when_all_disks_stall_leadership_stays_and_changes_go_on_afterwards() {
    // A busy machine calls no election of its own meanwhile.
    let (fleet, hands) = fleet(|settings| {
        settings.election_min = Duration::from_millis(2_000);
        settings.election_max = Duration::from_millis(3_000);
    })
    .await;
    fleet.create("before").await.expect("a free name");
    let leader = fleet.leader().await;
    let term = fleet.status(leader).await.term;
    hands.values().for_each(|hand| {
        hand.send_replace(true);
    });
    let client = fleet.client();
    let operation = rpc::controller::Operation::CreateDatabase { name: "patient".into(), key: fleet.key() };
    let waiting = tokio::spawn(async move { client.operate(model::RequestId(1), operation).await });
    // Long enough for the leader to have noticed: it says so.
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(fleet.status(leader).await.state, "leader");
    hands.values().for_each(|hand| {
        hand.send_replace(false);
    });
    waiting.await.expect("no panic").expect("it is done once the disks write again");
    assert_eq!((fleet.leader().await, fleet.status(leader).await.term), (leader, term));
    fleet.agreed().await;
}
