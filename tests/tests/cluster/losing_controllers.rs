//! Controllers that die or are paused: the map survives, and what runs goes on (R11, C13, C17, S7).

use tests::{Cluster, Role, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_controllers_killed_bring_the_same_map_back_and_sessions_go_on_r11_c14_s7() {
    // Servers answer reads as long as their lease holds: long enough for three starts on a busy machine.
    let cluster = Cluster::builder().set(Role::Controller, "lease_ms", 60_000).start().await;
    for number in 0..20 {
        cluster.create(&format!("kept_{number}")).await;
    }
    let session = cluster.session(0, "kept_0").await;
    session.batch_execute("CREATE TEMP TABLE mine (n int); CREATE TABLE t (n int)").await.expect("written");
    // From now on both handlers know the way.
    drop(cluster.session(1, "kept_0").await);
    let before = cluster.agreed().await;

    for controller in &cluster.controllers {
        controller.kill();
    }
    for n in 0..20 {
        session
            .batch_execute(&format!("INSERT INTO t VALUES ({n}); INSERT INTO mine VALUES ({n})"))
            .await
            .expect("it goes on");
    }
    let late = cluster.session(1, "kept_0").await;
    assert_eq!(late.one("SELECT count(*) FROM t").await.expect("a handler that knows the way"), "20");
    for controller in &cluster.controllers {
        controller.start();
    }
    for controller in &cluster.controllers {
        controller.ready().await;
    }

    let after = cluster.agreed().await;
    assert_eq!(after.value, before.value, "the map is the same");
    assert_eq!(session.one("SELECT count(*) FROM mine").await.expect("the same session"), "20");
    for number in 0..20 {
        for handler in 0..2 {
            let session = cluster.session(handler, &format!("kept_{number}")).await;
            assert_eq!(session.one("select 1").await.expect("answered"), "1");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_go_on_without_one_controller_and_stop_without_two_c13() {
    let cluster = Cluster::builder().servers(1).handlers(1).start().await;
    let leader = cluster.leader().await;
    cluster.controllers[leader].kill();
    cluster.create("with_two").await;
    let leader = cluster.leader().await;
    cluster.controllers[leader].kill();
    let admin = cluster.session(0, "stationmaster").await;
    // The first one may have been on its way to the leader when that died: then nobody can say what became of it.
    let refused = admin.batch_execute("CREATE DATABASE with_one").await.expect_err("no quorum, no change");
    assert!(["57P03", "40003"].contains(&&*tests::code(&refused)), "{refused:?}");
    let refused =
        admin.batch_execute("CREATE DATABASE with_one_again").await.expect_err("no quorum, no change");
    assert_eq!(tests::code(&refused), "57P03", "{refused:?}");
    for controller in cluster.controllers.iter().filter(|controller| !controller.is_running()) {
        controller.start();
    }
    until("changes are possible again", async || {
        admin.batch_execute("CREATE DATABASE with_three").await.map_err(|error| format!("{error:?}"))
    })
    .await;
    cluster.agreed().await;
    // Whoever was told no must not find it done.
    let info = cluster.look_up("with_one_again").await;
    assert!(info.is_err(), "{info:?}");
}

/// A process that was stopped for a while wakes up with all its time-outs overdue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_was_paused_does_not_disturb_the_leader_when_it_goes_on_c13() {
    // A busy machine calls no election of its own meanwhile.
    let cluster = Cluster::builder()
        .servers(0)
        .handlers(0)
        .set(Role::Controller, "election_min_ms", 1_500)
        .set(Role::Controller, "election_max_ms", 2_500)
        .start()
        .await;
    let leader = cluster.leader().await;
    let term = cluster.status(leader).await.expect("it answers").term;
    let paused = (leader + 1) % cluster.controllers.len();
    for round in 0..2 {
        cluster.controllers[paused].pause();
        let over = tokio::time::Instant::now() + std::time::Duration::from_secs(6);
        let mut changes = 0;
        while tokio::time::Instant::now() < over {
            cluster.create(&format!("meanwhile_{round}_{changes}")).await;
            changes += 1;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        cluster.controllers[paused].resume();
        cluster.agreed().await;
        cluster.create(&format!("after_{round}")).await;
        cluster.agreed().await;
    }
    assert_eq!(cluster.leader().await, leader);
    assert_eq!(cluster.status(leader).await.expect("it answers").term, term);
}
