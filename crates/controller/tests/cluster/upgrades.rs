//! Controllers of two releases in one fleet (issue: versions): the formats of one are not the other's. The earlier release
//! is played by one that knows the first level only, whose bytes golden files keep.

use controller::{Settings, run};
use model::{DatabaseOption, Level, OnTimeLimit};
use rpc::controller::{DatabaseRef, Operation};

use crate::fleet::{Fleet, eventually};

fn frequent(settings: &mut Settings) {
    settings.snapshot_every = 50;
}

/// Starts one of the earlier release.
fn run_earlier(fleet: &mut Fleet, id: u64) {
    fleet.run_with(id, |mut settings, host, listener| {
        settings.level = Level::FIRST;
        run(settings, host, listener)
    });
}

async fn set_option(fleet: &Fleet, name: &str) -> Result<(), String> {
    let options = vec![DatabaseOption::OnTimeLimit(OnTimeLimit::Never)];
    let set = Operation::SetDatabaseOptions { database: DatabaseRef::parse(name), options };
    fleet.operate(set).await.map(drop).map_err(|error| error.to_string())
}

async fn create_many(fleet: &Fleet, what: &str) {
    for number in 0..120 {
        fleet.create(&format!("{what}{number}")).await.expect("a free name");
    }
}

async fn levels(fleet: &Fleet) -> Vec<Level> {
    let mut levels = Vec::new();
    for id in fleet.ids() {
        levels.push(fleet.status(id).await.level);
    }
    levels
}

#[tokio::test]
async fn a_rolling_upgrade_goes_on_deciding_and_what_is_new_waits_for_the_last_controller() {
    let mut fleet = Fleet::stopped(3, frequent);
    for id in 1..=3 {
        run_earlier(&mut fleet, id);
    }
    fleet.leader().await;
    create_many(&fleet, "before").await;

    for id in 1..=3 {
        fleet.stop(id).await;
        fleet.leader().await;
        // It comes back so late that it is sent a snapshot: by a later release to an earlier one, or the other way round.
        create_many(&fleet, &format!("without{id}_")).await;
        let refused = set_option(&fleet, "before1").await.expect_err("one is of the earlier release");
        assert_eq!(refused, "the fleet is at level 1, and this takes level 2: upgrade all controllers first");
        if id == 2 {
            // Back to the earlier release: nothing stands in the way yet.
            run_earlier(&mut fleet, id);
            fleet.agreed().await;
            fleet.stop(id).await;
            create_many(&fleet, "back").await;
        }
        fleet.run(id);
        fleet.agreed().await;
        create_many(&fleet, &format!("mixed{id}_")).await;
        fleet.agreed().await;
    }

    eventually("the level is raised", || async {
        (levels(&fleet).await == [Level::NEWEST; 3]).then_some(())
    })
    .await;
    set_option(&fleet, "before1").await.expect("all know it");
    fleet.agreed().await;
    let databases = fleet.status(1).await.databases;
    assert_eq!(databases, 120 * 8);

    // From here there is no way back, and the earlier release says so instead of starting with half of it.
    fleet.stop(1).await;
    run_earlier(&mut fleet, 1);
    let error = fleet.ended(1).await.to_string();
    assert!(error.contains("was written by a later release; start that release"), "{error}");
    fleet.run(1);
    fleet.agreed().await;
}

#[tokio::test]
async fn a_controller_of_an_earlier_release_takes_nothing_that_it_cannot_read() {
    let mut fleet = Fleet::tuned(3, frequent);
    fleet.leader().await;
    set_option_on_new(&fleet).await;
    fleet.kill(3);
    fleet.wipe(3);
    run_earlier(&mut fleet, 3);
    // The others go on without it; it has nothing, and so shows nothing wrong.
    create_many(&fleet, "more").await;
    let status = fleet.status(3).await;
    assert_eq!((status.databases, status.level_known), (0, Level::FIRST));
    fleet.stop(3).await;
    fleet.run(3);
    fleet.agreed().await;
}

async fn set_option_on_new(fleet: &Fleet) {
    eventually("the level of those that began the fleet", || async {
        levels(fleet).await.iter().all(|level| *level == Level::NEWEST).then_some(())
    })
    .await;
    fleet.create("shop").await.expect("a free name");
    set_option(fleet, "shop").await.expect("both know it");
}
