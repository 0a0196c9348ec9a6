//! A controller that must not start says why and what to do (issue: bad input).

use crate::fleet::Fleet;

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
    crate::fleet::eventually("a snapshot", || async {
        (fleet.status(1).await.snapshot_last > 40).then_some(())
    })
    .await;
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
