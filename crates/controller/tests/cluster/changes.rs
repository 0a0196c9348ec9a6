//! Changes of the map, look-ups, and what happens to them when leaders and disks come and go (C1-C8, C13-C16).

use model::{RequestId, Revision};
use rpc::{
    Refusal,
    controller::{Consistency, DatabaseRef, LookUp, Operation},
};

use crate::fleet::{Fleet, look_up};

#[tokio::test]
async fn a_single_controller_creates_and_finds_databases() {
    let mut fleet = Fleet::start(1);
    fleet.leader().await;
    let made = fleet.create("shop").await.expect("a free name");
    for name in ["shop", &made.database.to_string()] {
        let found = look_up(&fleet.client(), name, Consistency::AtLeast(made.revision)).await;
        assert_eq!(found.expect("it exists").database, made.database);
    }
    fleet.stop(1).await;
}

#[tokio::test]
async fn all_controllers_of_three_have_the_same_map() {
    let fleet = Fleet::start(3);
    fleet.leader().await;
    let mut revision = Revision(0);
    for number in 0..20 {
        revision = fleet.create(&format!("db{number}")).await.expect("a free name").revision;
    }
    for id in 1..=3 {
        let found = look_up(&fleet.one(id), "db19", Consistency::AtLeast(revision)).await.expect("it exists");
        assert!(found.revision >= revision);
    }
    let digest = fleet.agreed().await;
    assert!(digest.revision >= revision);
}

#[tokio::test]
async fn a_create_repeated_with_its_key_makes_one_database_even_across_leaders() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let create = Operation::CreateDatabase { name: "shop".into(), key: fleet.key() };
    let first = fleet.operate(create.clone()).await.expect("a free name").database.expect("just made");
    fleet.stop(leader).await;
    let again = fleet.operate(create).await.expect("the same create").database.expect("still there");
    assert_eq!(again.database, first.database);
    let other = fleet.create("shop").await.expect_err("another create of a name that is taken");
    assert!(other.to_string().contains("already exists"), "{other}");
}

#[tokio::test]
async fn the_others_go_on_when_the_leader_stops_and_it_catches_up_when_it_returns() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    fleet.create("before").await.expect("a free name");
    fleet.stop(leader).await;
    for number in 0..10 {
        fleet.create(&format!("after{number}")).await.expect("a new leader takes it");
    }
    fleet.agreed().await;
    fleet.run(leader);
    fleet.agreed().await;
}

#[tokio::test]
async fn a_cut_off_leader_is_replaced_and_follows_when_it_is_back() {
    let fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    fleet.create("before").await.expect("a free name");
    fleet.net.cut_off(&crate::fleet::address(leader));
    fleet.create("after").await.expect("the others elect a leader");
    fleet.net.reconnect(&crate::fleet::address(leader));
    fleet.agreed().await;
}

#[tokio::test]
async fn all_restarted_from_disk_have_the_map_they_had() {
    let mut fleet = Fleet::start(3);
    fleet.leader().await;
    for number in 0..10 {
        fleet.create(&format!("db{number}")).await.expect("a free name");
    }
    let before = fleet.agreed().await;
    for id in 1..=3 {
        fleet.stop(id).await;
    }
    for id in 1..=3 {
        fleet.run(id);
    }
    fleet.leader().await;
    assert_eq!(fleet.agreed().await.value, before.value);
}

#[tokio::test]
async fn without_a_quorum_a_change_is_refused_with_what_is_missing() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let followers: Vec<u64> = fleet.ids().into_iter().filter(|id| *id != leader).collect();
    for id in &followers {
        fleet.stop(*id).await;
    }
    let create = Operation::CreateDatabase { name: "shop".into(), key: fleet.key() };
    let answer = fleet.raw(leader).await.operate(rpc::context(), RequestId(1), create).await;
    let refusal = answer.expect("it answers").expect_err("one of three decides nothing");
    assert!(matches!(refusal, Refusal::Unavailable { .. } | Refusal::Lost { .. }), "{refusal}");
    assert!(refusal.to_string().contains("2 of 3 controllers"), "{refusal}");
    let stale = look_up(&fleet.one(leader), "shop", Consistency::Linearizable).await;
    assert!(stale.is_err(), "a leader without a quorum must not claim to be fresh");
    fleet.run(followers[0]);
    fleet.create("later").await.expect("two of three do");
}

#[tokio::test]
async fn snapshots_bound_the_log_and_bring_a_late_controller_up_to_date() {
    let mut fleet = Fleet::stopped(3, |settings| settings.snapshot_every = 50);
    fleet.run(1);
    fleet.run(2);
    fleet.leader().await;
    for number in 0..300 {
        fleet.create(&format!("db{number}")).await.expect("a free name");
    }
    crate::fleet::eventually("snapshots on both", || async {
        let (one, two) = (fleet.status(1).await, fleet.status(2).await);
        (one.snapshot_last >= 250 && two.snapshot_last >= 250).then_some(())
    })
    .await;
    fleet.run(3);
    fleet.agreed().await;
    let status = fleet.status(3).await;
    assert_eq!(status.databases, 300);
    assert!(status.snapshot_last >= 250, "it was sent a snapshot: {status:?}");
    let before = fleet.agreed().await;
    for id in 1..=3 {
        fleet.stop(id).await;
        fleet.run(id);
    }
    assert_eq!(fleet.agreed().await.value, before.value);
}

#[tokio::test]
async fn a_caller_is_never_shown_less_than_it_has_seen() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let made = fleet.create("shop").await.expect("a free name");
    let ahead = Revision(made.revision.0 + 1_000);
    let database = DatabaseRef::Name("shop".into());
    let request = LookUp { database, consistency: Consistency::AtLeast(ahead) };
    let answer = fleet.raw(1).await.look_up(rpc::context(), request).await.expect("it answers");
    assert_eq!(answer, Err(Refusal::Behind { revision: made.revision.0, at_least: ahead.0 }));
}
