//! Changes of the map, look-ups, and what happens to them when leaders and disks come and go (C1-C8, C13-C16).

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use model::{DatabaseId, RequestId, Revision};
use rpc::{
    Refusal,
    controller::{Consistency, DatabaseRef, Heartbeat, LookUp, Operation, ServerLoad},
};

use crate::{
    fleet::{Fleet, address, eventually, look_up},
    server::Server,
};

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
    fleet.net.cut_off(&address(leader));
    fleet.create("after").await.expect("the others elect a leader");
    fleet.net.reconnect(&address(leader));
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
    for id in 1..=3 {
        fleet.run(id);
    }
    fleet.leader().await;
    fleet.agreed().await;
    fleet.kill(3);
    for number in 0..300 {
        fleet.create(&format!("db{number}")).await.expect("a free name");
    }
    eventually("snapshots on both", || async {
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
    let Err(Refusal::Behind { revision, at_least }) = answer else { panic!("{answer:?}") };
    assert!(revision >= made.revision.0 && at_least == ahead.0, "{revision}, {at_least}");
}

#[tokio::test]
async fn a_linearizable_look_up_is_answered_by_the_leader_alone() {
    let fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let made = fleet.create("shop").await.expect("a free name");
    let found = look_up(&fleet.client(), "shop", Consistency::Linearizable).await.expect("it exists");
    assert!(found.revision >= made.revision);
    let follower = fleet.ids().into_iter().find(|id| *id != leader).expect("there are three");
    let database = DatabaseRef::Name("shop".into());
    let request = LookUp { database, consistency: Consistency::Linearizable };
    let answer = fleet.raw(follower).await.look_up(rpc::context(), request).await.expect("it answers");
    assert_eq!(answer, Err(Refusal::NotLeader { leader: Some(address(leader)) }));
}

/// Otherwise a server could go on answering reads while a new leader gives its databases away.
#[tokio::test]
async fn a_leader_without_a_quorum_prolongs_no_lease() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    let heartbeat = Heartbeat {
        server: server.registered.server,
        incarnation: server.shared.incarnation,
        load: ServerLoad::default(),
        put_away: Vec::new(),
    };
    let client = fleet.raw(leader).await;
    let taken = client.heartbeat(rpc::context(), heartbeat.clone()).await.expect("it answers");
    assert_eq!(taken.expect("a quorum is there").controllers.len(), 3);
    for id in fleet.ids().into_iter().filter(|id| *id != leader) {
        fleet.stop(id).await;
    }
    eventually("the leader to notice", || async {
        let answer = client.heartbeat(rpc::context(), heartbeat.clone()).await.expect("it answers");
        answer.is_err().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_list_of_databases_comes_in_pages() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    for number in 0..25 {
        fleet.create(&format!("db{number:02}")).await.expect("a free name");
    }
    let client = fleet.raw(1).await;
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = client.databases(rpc::context(), after, 10).await.expect("it answers");
        assert_eq!(page.total, 25);
        seen.extend(page.databases.iter().map(|info| info.name.to_string()));
        after = page.databases.last().map(|info| info.name.clone());
        if !page.more {
            break;
        }
    }
    let expected: Vec<String> = (0..25).map(|number| format!("db{number:02}")).collect();
    assert_eq!(seen, expected);
}

/// The small sister of the test with processes: every create that was answered is there, and none is there twice (R6).
#[tokio::test]
async fn creates_survive_a_killed_leader_and_then_a_kill_of_all() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let creates = |fleet: &Fleet| {
        let (client, keys): (_, Vec<_>) = (fleet.client(), (0..200).map(|_| fleet.key()).collect());
        tokio::spawn(
            stream::iter(keys.into_iter().enumerate())
                .map(move |(number, key)| {
                    let (client, name) = (client.clone(), format!("db{number}"));
                    async move {
                        let create = Operation::CreateDatabase { name, key };
                        let made = client.operate(RequestId(1), create).await.expect("some leader takes it");
                        made.database.expect("just made").database
                    }
                })
                .buffer_unordered(16)
                .collect::<Vec<DatabaseId>>(),
        )
    };
    let creating = creates(&fleet);
    eventually("half of them", || async { (fleet.status(leader).await.databases > 80).then_some(()) }).await;
    fleet.kill(leader);
    let made = creating.await.expect("no panic");
    let distinct: BTreeSet<DatabaseId> = made.iter().copied().collect();
    assert_eq!((made.len(), distinct.len()), (200, 200));
    fleet.run(leader);
    let before = fleet.agreed().await;
    for id in 1..=3 {
        fleet.kill(id);
    }
    for id in 1..=3 {
        fleet.run(id);
    }
    fleet.leader().await;
    assert_eq!(fleet.agreed().await.value, before.value);
    assert_eq!(fleet.status(1).await.databases, 200);
}

#[tokio::test]
async fn a_controller_whose_directory_was_emptied_begins_no_fleet_of_its_own() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    fleet.create("shop").await.expect("a free name");
    let follower = fleet.ids().into_iter().find(|id| *id != leader).expect("there are three");
    fleet.stop(follower).await;
    std::fs::remove_dir_all(fleet.settings(follower).data_dir).expect("it was there");
    fleet.run(follower);
    fleet.create("other").await.expect("two of three decide");
    fleet.agreed().await;
    assert_eq!(fleet.status(follower).await.databases, 2);
    assert_eq!(fleet.status(follower).await.fleet, fleet.status(leader).await.fleet);
}
