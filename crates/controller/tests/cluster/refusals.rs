//! A controller that must not start says why and what to do (issue: bad input).

use model::{DatabaseId, Incarnation, Revision, ServerId};
use rpc::{
    Refusal,
    controller::{Consistency, DatabaseRef, Heartbeat, LookUp, Operation, ServerLoad},
};

use crate::fleet::{Fleet, eventually};

#[tokio::test]
async fn a_directory_of_another_controller_stops_the_start() {
    let mut fleet = Fleet::start(1);
    fleet.leader().await;
    fleet.stop(1).await;
    let identity = fleet.settings(1).data_dir.join("identity");
    let text = std::fs::read_to_string(&identity).expect("it was written");
    assert!(text.contains("fleet "), "the fleet is noted: {text}");
    std::fs::write(identity, text.replace("controller 1", "controller 2")).expect("writable");
    fleet.run(1);
    let error = fleet.ended(1).await.to_string();
    assert!(error.contains("belongs to controller 2, this is controller 1"), "{error}");
}

#[tokio::test]
async fn a_damaged_newer_or_missing_snapshot_stops_the_start() {
    let mut fleet = Fleet::tuned(1, |settings| settings.snapshot_every = 20);
    fleet.leader().await;
    for number in 0..60 {
        fleet.create(&format!("db{number}")).await.expect("a free name");
    }
    eventually("a snapshot", || async { (fleet.status(1).await.snapshot_last > 40).then_some(()) }).await;
    fleet.stop(1).await;
    let path = fleet.settings(1).data_dir.join("snapshot");
    let good = std::fs::read(&path).expect("it was made");
    let newer = [&good[..7], &[9], &good[8..]].concat();
    let half = good[..good.len() / 2].to_vec();
    for (bytes, expected) in
        [(Some(newer), "later release"), (Some(half), "is damaged"), (None, "has lost data")]
    {
        match bytes {
            Some(bytes) => std::fs::write(&path, bytes).expect("writable"),
            None => std::fs::remove_file(&path).expect("it was there"),
        }
        fleet.run(1);
        let error = fleet.ended(1).await.to_string();
        assert!(error.contains(expected), "{error}");
    }
    std::fs::write(&path, good).expect("writable");
    fleet.run(1);
    fleet.leader().await;
    assert_eq!(fleet.status(1).await.databases, 60);
}

#[tokio::test]
async fn settings_with_mistakes_are_refused_all_at_once() {
    let mut fleet = Fleet::stopped(1, |settings| {
        settings.snapshot_every = 1;
        settings.lease = std::time::Duration::ZERO;
    });
    fleet.run(1);
    let error = fleet.ended(1).await.to_string();
    assert!(error.contains("snapshot_every") && error.contains("lease"), "{error}");
}

/// Names that are none, ids that were never given, texts of 10 MB: answers, on every controller, and nothing is changed.
#[tokio::test]
async fn impossible_operations_are_refused_and_the_controllers_go_on() {
    let fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    fleet.create("shop").await.expect("a free name");
    let before = fleet.agreed().await;
    let client = fleet.raw(leader).await;
    let huge = || "x".repeat(10 << 20);
    let shop = || DatabaseRef::Name("shop".into());
    let nobody = || DatabaseRef::Id(DatabaseId(u64::MAX));
    let key = fleet.key();
    let operations = [
        Operation::CreateDatabase { name: huge(), key },
        Operation::CreateDatabase { name: "a\0b".into(), key },
        Operation::CreateDatabase { name: String::new(), key },
        Operation::RenameDatabase { database: shop(), name: huge() },
        Operation::RenameDatabase { database: nobody(), name: "other".into() },
        Operation::DropDatabase { database: DatabaseRef::Name(huge()) },
        Operation::DropDatabase { database: nobody() },
        Operation::AssignDatabase { database: shop(), server: Some(huge()) },
        Operation::MoveDatabase { database: nobody(), server: "a\0b".into() },
        Operation::PutUser { name: "ada".into(), verifier: huge() },
        Operation::PutUser { name: "a\0b".into(), verifier: "x".into() },
        Operation::ExpireServer { server: huge() },
        Operation::DrainServer { server: huge(), draining: true },
    ];
    for operation in operations {
        let shown = format!("{operation:.60?}");
        let refused = client.operate(rpc::context(), model::RequestId(1), operation).await;
        let refused = refused.expect("it answers").expect_err(&shown);
        assert!(refused.to_string().len() < 300, "{shown}: {:.300}", refused.to_string());
    }
    let look_up =
        LookUp { database: DatabaseRef::Name(huge()), consistency: Consistency::AtLeast(Revision(0)) };
    let refused = client.look_up(rpc::context(), look_up).await.expect("it answers");
    let name = format!("{}…", "x".repeat(63));
    assert_eq!(refused.expect_err("no name"), Refusal::DatabaseNameUnknown { name });
    let heartbeat = Heartbeat {
        server: ServerId(u32::MAX),
        incarnation: Incarnation(u64::MAX),
        load: ServerLoad::default(),
        put_away: vec![(DatabaseId(u64::MAX), model::Epoch(u64::MAX)); 100_000],
    };
    client.heartbeat(rpc::context(), heartbeat).await.expect("it answers").expect_err("no such server");
    assert_eq!(fleet.agreed().await.value, before.value, "nothing was changed");
    assert_eq!(fleet.leader().await, leader);
}
