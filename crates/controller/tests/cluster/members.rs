//! The set of controllers changes while they work (C13, C17): nothing is lost, and nobody decides without a majority.

use std::time::Duration;

use controller::Settings;
use model::{ControllerId, EventsFrom, TimestampMs, What};
use rpc::{
    Error, Refusal,
    controller::{Consistency, ControllersChange},
};

use crate::{
    clocks::events,
    fleet::{Fleet, address, look_up, route},
    server::Server,
};

fn kept(result: Result<(), Error>) -> String {
    match result {
        Err(Error::Refused(Refusal::ControllersKept { reason })) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

fn remove(id: u64) -> ControllersChange {
    ControllersChange::Remove { controller: ControllerId(id) }
}

/// Elections take longer than any test waits: whoever leads got it from somebody.
fn no_elections(settings: &mut Settings) {
    settings.election_min = Duration::from_secs(40);
    settings.election_max = Duration::from_secs(60);
}

#[tokio::test]
async fn one_controller_becomes_three_and_one_again_and_every_seed_is_gone_c13() {
    let mut fleet = Fleet::start(1);
    fleet.leader().await;
    let client = fleet.client();
    fleet.create("first").await.expect("a free name");
    fleet.grow(&client, 2).await;
    fleet.grow(&client, 3).await;
    let before = fleet.agreed().await;
    assert_eq!(fleet.list(&client).await.iter().filter(|info| info.voter).count(), 3);
    // The only one that the client was given, and the leader.
    fleet.shrink(&client, 1).await;
    assert_eq!(fleet.agreed().await.value, before.value);
    fleet.shrink(&client, 2).await;
    let found = look_up(&client, "first", Consistency::Linearizable).await.expect("it is still there");
    assert_eq!(found.name.as_str(), "first");
    assert_eq!(fleet.leader().await, 3);
    // Alone, it also comes back alone.
    fleet.stop(3).await;
    fleet.run(3);
    look_up(&client, "first", Consistency::Linearizable).await.expect("it is still there");
}

#[tokio::test]
async fn a_controller_is_replaced_by_one_elsewhere_and_under_another_id() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let client = fleet.client();
    fleet.create("first").await.expect("a free name");
    let lost = fleet.ids().into_iter().find(|id| *id != leader).expect("there are three");
    fleet.kill(lost);
    fleet.run(4);
    let replace = ControllersChange::Replace { controller: ControllerId(lost), address: address(4) };
    let replaced = |list: &[rpc::controller::ControllerInfo]| {
        list.iter().any(|info| info.controller.0 == 4 && info.voter)
            && list.iter().all(|info| info.controller.0 != lost)
    };
    fleet.change(&client, replace.clone(), replaced).await.expect("it is replaced");
    fleet.change(&client, replace, replaced).await.expect("it is so already");
    fleet.agreed().await;
    // It comes back with what it had, and knows nothing of its end.
    fleet.run(lost);
    let error = fleet.ended(lost).await.to_string();
    assert!(error.contains(&format!("controller {lost} was removed from the fleet")), "{error}");
    fleet.create("second").await.expect("the others are not disturbed");
}

#[tokio::test]
async fn steps_that_would_lose_the_quorum_are_refused_with_the_reason_c13() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let client = fleet.client();
    let others: Vec<u64> = fleet.ids().into_iter().filter(|id| *id != leader).collect();
    let nobody = ControllersChange::Add { address: "nobody:1".into() };
    let reason = kept(fleet.change(&client, nobody, |_| false).await);
    assert!(reason.contains("no controller answers at nobody:1"), "{reason}");
    fleet.kill(others[0]);
    // At once, while nobody has noticed yet: a leader left alone with a dead one could not decide anything any more.
    let reason = kept(fleet.change(&client, remove(others[1]), |_| false).await);
    assert!(reason.contains(&format!("no answer from controller {}", others[0])), "{reason}");
    fleet.create("still").await.expect("two of three decide");
}

#[tokio::test]
async fn data_of_an_earlier_membership_or_another_fleet_is_not_taken() {
    let mut fleet = Fleet::start(3);
    let leader = fleet.leader().await;
    let client = fleet.client();
    let other = fleet.ids().into_iter().find(|id| *id != leader).expect("there are three");
    fleet.shrink(&client, other).await;
    fleet.run(other);
    let add = ControllersChange::Add { address: address(other) };
    let reason = kept(fleet.change(&client, add, |_| false).await);
    assert!(reason.contains("data of an earlier membership"), "{reason}");
    fleet.ended(other).await;
    fleet.wipe(other);
    fleet.grow(&client, other).await;
    fleet.agreed().await;
    // A fleet of its own, with the same secret.
    let mut stranger = Fleet::stopped(1, |_| ());
    stranger.secret = fleet.secret.clone();
    stranger.net = fleet.net.clone();
    stranger.found_as(9);
    stranger.leader().await;
    let reason = kept(fleet.change(&client, ControllersChange::Add { address: address(9) }, |_| false).await);
    assert!(reason.contains("belongs to fleet"), "{reason}");
}

/// What a leader found out and had no time to record is not lost with its leadership (S10).
#[tokio::test]
async fn facts_survive_a_planned_hand_over_s10() {
    // Nothing is recorded of the leader's own accord while this runs.
    let fleet = Fleet::tuned(3, |settings| {
        settings.heartbeat = Duration::from_secs(600);
        settings.lease = Duration::from_secs(6_000);
    });
    let leader = fleet.leader().await;
    let _server = Server::start(&fleet, "s1", 1).await;
    let made = fleet.create("shop").await.expect("a free name");
    route(&fleet.client(), "shop", None).await.expect("it is loaded");
    let to = fleet.ids().into_iter().find(|id| *id != leader).expect("there are three");
    let transfer = ControllersChange::TransferLeadership { to: ControllerId(to) };
    let leads = |list: &[rpc::controller::ControllerInfo]| {
        list.iter().any(|info| info.controller.0 == to && info.leader)
    };
    fleet.change(&fleet.client(), transfer, leads).await.expect("it is handed over");
    let events = events(&fleet, EventsFrom::Since(TimestampMs(0))).await;
    let events: Vec<_> = events.into_iter().filter(|event| event.database == Some(made.database)).collect();
    assert!(events.iter().any(|event| event.what == What::LoadFinished), "{events:?}");
}

#[tokio::test]
async fn a_leader_that_is_told_to_end_or_to_hand_over_needs_no_election_c17() {
    let mut fleet = Fleet::tuned(1, no_elections);
    fleet.leader().await;
    let client = fleet.client();
    fleet.grow(&client, 2).await;
    fleet.grow(&client, 3).await;
    let transfer = ControllersChange::TransferLeadership { to: ControllerId(2) };
    let leads = |list: &[rpc::controller::ControllerInfo]| {
        list.iter().any(|info| info.controller.0 == 2 && info.leader)
    };
    fleet.change(&client, transfer, leads).await.expect("it is handed over");
    assert_eq!(fleet.leader().await, 2);
    fleet.stop(2).await;
    fleet.leader().await;
    fleet.create("first").await.expect("another one leads");
}
