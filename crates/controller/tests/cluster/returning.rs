//! A controller that was cut off, paused or stopped comes back: the leader stays, its term does not rise, and changes go
//! on as if nothing had been (C13).

use std::{fs, time::Duration};

use controller::Settings;
use tokio::time::{Instant, sleep};

use crate::fleet::{Fleet, address, eventually};

/// Short elections, but not so short that a busy machine calls one by itself; a tenth of a second of heartbeats.
fn tune(settings: &mut Settings) {
    settings.raft_heartbeat = Duration::from_millis(100);
    settings.election_min = Duration::from_millis(800);
    settings.election_max = Duration::from_millis(1_200);
}

/// How long a controller is away: it would have called several elections in that time.
const AWAY: Duration = Duration::from_secs(6);

async fn term(fleet: &Fleet) -> (u64, u64) {
    let leader = fleet.leader().await;
    (leader, fleet.status(leader).await.term)
}

/// Changes go on until the time is over.
async fn work(fleet: &Fleet, what: &str, time: Duration) {
    let (until, mut number) = (Instant::now() + time, 0);
    while Instant::now() < until {
        fleet.create(&format!("{what}_{number}")).await.expect("the leader goes on");
        number += 1;
        sleep(Duration::from_millis(20)).await;
    }
}

async fn a_follower(fleet: &Fleet) -> u64 {
    let leader = fleet.leader().await;
    fleet.ids().into_iter().find(|id| *id != leader).expect("there are three")
}

/// Cuts one off from the other controllers; clients still reach it.
fn isolate(fleet: &Fleet, id: u64) {
    for other in fleet.ids().into_iter().filter(|other| *other != id) {
        fleet.net.sever(&address(id), &address(other));
    }
}

#[tokio::test]
async fn a_controller_that_was_cut_off_does_not_disturb_the_leader_when_it_is_back_c13() {
    let fleet = Fleet::tuned(3, tune);
    let before = term(&fleet).await;
    let follower = a_follower(&fleet).await;
    isolate(&fleet, follower);
    work(&fleet, "away", AWAY).await;
    assert_eq!(fleet.status(follower).await.term, before.1, "it asks before it calls an election");
    fleet.net.mend();
    work(&fleet, "back", Duration::from_secs(3)).await;
    fleet.agreed().await;
    assert_eq!(term(&fleet).await, before);
}

#[tokio::test]
async fn a_controller_that_is_cut_off_from_the_leader_alone_does_not_disturb_it_c13() {
    let fleet = Fleet::tuned(3, tune);
    let before = term(&fleet).await;
    let follower = a_follower(&fleet).await;
    // The third one reaches both: it would give its vote, were it not for the leader that it hears of.
    fleet.net.sever(&address(follower), &address(before.0));
    work(&fleet, "away", AWAY).await;
    assert_eq!(term(&fleet).await, before);
    fleet.net.mend();
    fleet.agreed().await;
    assert_eq!(term(&fleet).await, before);
}

#[tokio::test]
async fn a_controller_that_was_stopped_does_not_disturb_the_leader_when_it_is_back_c13() {
    let mut fleet = Fleet::tuned(3, tune);
    let before = term(&fleet).await;
    let follower = a_follower(&fleet).await;
    fleet.kill(follower);
    work(&fleet, "away", Duration::from_secs(2)).await;
    fleet.run(follower);
    work(&fleet, "back", Duration::from_secs(3)).await;
    fleet.agreed().await;
    assert_eq!(term(&fleet).await, before);
}

/// The planted bug: who calls elections without asking first is noticed by what these tests look at.
#[tokio::test]
async fn without_pre_votes_a_controller_that_was_cut_off_ends_the_reign() {
    let mut fleet = Fleet::tuned(3, tune);
    let follower = a_follower(&fleet).await;
    fleet.stop(follower).await;
    fs::write(fleet.settings(follower).data_dir.join("planted-bug"), "no pre-vote").expect("written");
    fleet.run(follower);
    fleet.agreed().await;
    let (_, before) = term(&fleet).await;
    isolate(&fleet, follower);
    sleep(AWAY).await;
    assert!(fleet.status(follower).await.term > before, "it went on calling elections");
    fleet.net.mend();
    eventually("the end of a reign that worked", || async { (term(&fleet).await.1 > before).then_some(()) })
        .await;
    fleet.agreed().await;
}
