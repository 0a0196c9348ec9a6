//! A request took longer than its database allows: who is to blame, and what becomes of the database (R20, R21).

use std::time::Duration;

use futures::{FutureExt, future::join_all};
use model::{DatabaseOption, RequestId, ServerState};
use rpc::{
    controller::{DatabaseRef, Operation, Route, ServerHealth},
    time_limit::{Blame, Overrun, Verdict},
};

use crate::{
    fleet::{Fleet, eventually, route},
    server::{Held, Server},
};

const SLOW: ServerHealth =
    ServerHealth { journal_us: Some(900), workers_us: Some(3_000_000), lag_us: Some(0), running: 7 };

/// Two servers and a database that is loaded on the first of the two returned.
async fn scene(fleet: &Fleet) -> (Server, Server, Route) {
    let first = Server::start(fleet, "s1", 1).await;
    let second = Server::start(fleet, "s2", 2).await;
    fleet.create("shop").await.expect("a free name");
    let served = route(&fleet.client(), "shop", None).await.expect("both are up");
    let (owner, other) = if served.address == "s1:1" { (first, second) } else { (second, first) };
    (owner, other, served)
}

fn overrun(route: &Route) -> Overrun {
    Overrun {
        request: RequestId(9),
        database: route.database,
        epoch: route.epoch,
        limit_ms: 2_000,
        elapsed_ms: 2_001,
        repeats: 0,
        confirmed: true,
        repeatable: true,
        quick: 0,
    }
}

async fn report(fleet: &Fleet, overrun: Overrun) -> Result<Verdict, rpc::Error> {
    let client = fleet.client();
    let call = move |client: rpc::controller::ControllerApiClient, context| {
        async move { client.report_time_limit(context, overrun).await }.boxed()
    };
    client.leader(call).await
}

async fn policy(fleet: &Fleet, value: &str) {
    let option = DatabaseOption::parse("on_time_limit", value).expect("a policy");
    let database = DatabaseRef::Name("shop".into());
    let set = Operation::SetDatabaseOptions { database, options: vec![option] };
    fleet.operate(set).await.expect("it exists");
}

/// Waits until the leader has heard how the server feels.
async fn feels(fleet: &Fleet, server: &Server, health: ServerHealth) {
    server.shared.feel(health);
    let client = fleet.client();
    eventually("the leader to hear how a server feels", || async {
        let servers = client
            .any(|client, context| async move { client.servers(context).await }.boxed())
            .await
            .expect("a controller answers");
        let info = servers.into_iter().find(|info| info.server == server.registered.server)?;
        (info.heartbeat?.load.health == health).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_slow_query_on_a_good_server_moves_nothing_r20() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let (owner, _other, served) = scene(&fleet).await;
    let verdict = report(&fleet, overrun(&served)).await.expect("a verdict");
    assert_eq!((verdict.blame, verdict.route), (Blame::Query, None));
    assert!(verdict.evidence.contains("the query is to blame: the server is well"), "{}", verdict.evidence);
    assert_eq!(owner.shared.released(), []);
}

#[tokio::test]
async fn a_slow_servers_database_goes_to_another_and_the_verdict_is_its_route_r21() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let (owner, other, served) = scene(&fleet).await;
    feels(&fleet, &owner, SLOW).await;
    // However many sessions say so at a time, it moves once.
    let reports = join_all((0..8).map(|_| report(&fleet, overrun(&served)))).await;
    for verdict in reports {
        let verdict = verdict.expect("a verdict");
        let route = verdict.route.expect("another server");
        assert_eq!((verdict.blame, route.owner.server), (Blame::Server, other.registered.server));
        assert_eq!(route.epoch, served.epoch.next());
    }
    assert_eq!(owner.shared.released(), [served.database]);
    assert_eq!(other.shared.serving().get(&served.database), Some(&served.epoch.next()));
    let late = report(&fleet, overrun(&served)).await.expect("a late report of the same");
    assert_eq!(late.route.map(|route| route.epoch), Some(served.epoch.next()), "it moves nothing");
}

#[tokio::test]
async fn the_databases_policy_is_kept_r21() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let (owner, other, served) = scene(&fleet).await;
    policy(&fleet, "always").await;
    let first = report(&fleet, overrun(&served)).await.expect("a verdict");
    let moved = first.route.expect("always");
    assert_eq!((first.blame, moved.owner.server), (Blame::Query, other.registered.server));
    policy(&fleet, "never").await;
    feels(&fleet, &other, SLOW).await;
    let second = report(&fleet, overrun(&moved)).await.expect("a verdict");
    assert_eq!((second.blame, second.route), (Blame::Server, None));
    assert!(second.evidence.contains("on_time_limit is never"), "{}", second.evidence);
    assert_eq!(owner.shared.serving().get(&served.database), None);
}

#[tokio::test]
async fn a_poison_query_walks_no_further_than_two_servers_r21() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let (_owner, _other, mut served) = scene(&fleet).await;
    let _third = Server::start(&fleet, "s3", 3).await;
    policy(&fleet, "always").await;
    let mut walked = vec![served.owner.server];
    for repeats in 0..2 {
        let verdict = report(&fleet, Overrun { repeats, ..overrun(&served) }).await.expect("a verdict");
        served = verdict.route.expect("another server");
        walked.push(served.owner.server);
    }
    walked.sort();
    walked.dedup();
    assert_eq!(walked.len(), 3, "each time a server where it was not tried");
    let last = report(&fleet, Overrun { repeats: 2, ..overrun(&served) }).await.expect("a verdict");
    assert_eq!(last.route, None);
    assert!(last.evidence.contains("provided again often enough"), "{}", last.evidence);
}

#[tokio::test]
async fn a_server_that_is_too_slow_to_let_go_is_left_behind_once_it_lets_nobody_in_r21() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let (owner, other, served) = scene(&fleet).await;
    // It closes the database's doors, and never says that it has put it away.
    owner.shared.hold(Held::Releases);
    let unconfirmed = Overrun { confirmed: false, ..overrun(&served) };
    let verdict = report(&fleet, unconfirmed).await.expect("a verdict");
    let route = verdict.route.expect("another server");
    assert_eq!((verdict.blame, route.owner.server), (Blame::Server, other.registered.server));
    assert!(verdict.evidence.contains("does not confirm"), "{}", verdict.evidence);
    owner.shared.hold(Held::Nothing);
}

#[tokio::test]
async fn a_frozen_servers_database_moves_once_its_lease_has_lapsed_r21() {
    let fleet = Fleet::start(1);
    fleet.leader().await;
    let (owner, other, served) = scene(&fleet).await;
    owner.kill().await;
    let unconfirmed = Overrun { confirmed: false, ..overrun(&served) };
    let verdict = report(&fleet, unconfirmed).await.expect("a verdict");
    let route = verdict.route.expect("another server");
    assert_eq!(route.owner.server, other.registered.server);
}

async fn state(fleet: &Fleet, server: &Server) -> Option<ServerState> {
    let client = fleet.client();
    let servers = client
        .any(|client, context| async move { client.servers(context).await }.boxed())
        .await
        .expect("a controller answers");
    servers.into_iter().find(|info| info.server == server.registered.server).map(|info| info.state)
}

#[tokio::test]
async fn a_server_that_stays_slow_is_emptied_and_works_again_once_it_is_well() {
    let fleet = Fleet::tuned(1, |settings| settings.empty_slow_after = Duration::from_millis(300));
    fleet.leader().await;
    let (owner, other, served) = scene(&fleet).await;
    owner.shared.feel(SLOW);
    eventually("the slow server to be emptied", || async {
        let emptied = state(&fleet, &owner).await == Some(ServerState::Draining);
        (emptied && other.shared.serving().contains_key(&served.database)).then_some(())
    })
    .await;
    assert_eq!(owner.shared.released(), [served.database], "it was asked to let go, not declared dead");
    owner.shared.feel(ServerHealth::default());
    eventually("the server to take databases again", || async {
        (state(&fleet, &owner).await == Some(ServerState::Up)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_next_leader_knows_who_was_emptied_for_being_slow() {
    let mut fleet = Fleet::tuned(3, |settings| settings.empty_slow_after = Duration::from_millis(300));
    let leader = fleet.leader().await;
    let (owner, _other, _served) = scene(&fleet).await;
    owner.shared.feel(SLOW);
    eventually("the slow server to be emptied", || async {
        (state(&fleet, &owner).await == Some(ServerState::Draining)).then_some(())
    })
    .await;
    fleet.kill(leader);
    owner.shared.feel(ServerHealth::default());
    eventually("the next leader to let it work again", || async {
        (state(&fleet, &owner).await == Some(ServerState::Up)).then_some(())
    })
    .await;
}
