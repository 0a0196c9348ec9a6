//! Wall clocks that jump by an hour, forwards and backwards, on any controller: nothing is decided by them (S7).

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use controller::run;
use futures::FutureExt as _;
use model::{Epoch, EventsFrom, ServerState, TimestampMs};
use rpc::{
    Host,
    controller::Consistency,
    events::{EventInfo, EventsRequest},
};

use crate::{
    fleet::{Fleet, eventually, look_up, route},
    server::Server,
};

const HOUR: i64 = 3_600_000;
/// Where the clocks of these tests begin.
const NOON: i64 = 1_800_000_000_000;

/// A wall clock that its test sets. Each has its own, as tests run side by side.
struct Clock(AtomicI64);

impl Clock {
    const fn new() -> Self {
        Self(AtomicI64::new(NOON))
    }

    fn jump(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    fn now(&self) -> TimestampMs {
        TimestampMs(u64::try_from(self.0.load(Ordering::Relaxed)).expect("after 1970"))
    }
}

/// Starts a controller with this clock.
fn start(fleet: &mut Fleet, id: u64, clock: fn() -> TimestampMs) {
    fleet.run_with(id, move |settings, host, at| run(settings, Host { clock, ..host }, at));
}

/// What happened, as the leader tells it.
pub async fn events(fleet: &Fleet, from: EventsFrom) -> Vec<EventInfo> {
    let request = EventsRequest { from, database: None, server: None, limit: 10_000, wait_ms: 0 };
    let call = |client: rpc::controller::ControllerApiClient, context| {
        let request = request.clone();
        async move { client.events(context, request).await }.boxed()
    };
    fleet.client().leader(call).await.expect("it answers").events
}

#[tokio::test]
async fn clocks_that_jump_by_an_hour_change_nothing_on_any_controller_s7() {
    static CLOCKS: [Clock; 3] = [const { Clock::new() }; 3];
    let lease = Duration::from_secs(2);
    let mut fleet = Fleet::stopped(3, |settings| {
        settings.heartbeat = Duration::from_millis(200);
        settings.lease = Duration::from_secs(2);
    });
    let clocks: [fn() -> TimestampMs; 3] = [|| CLOCKS[0].now(), || CLOCKS[1].now(), || CLOCKS[2].now()];
    for (id, clock) in (1..).zip(clocks) {
        start(&mut fleet, id, clock);
    }
    fleet.leader().await;
    let server = Server::start(&fleet, "s1", 1).await;
    fleet.create("shop").await.expect("a free name");
    let routed = route(&fleet.client(), "shop", None).await.expect("its server is up");

    for (step, by) in (0..).zip([HOUR, -2 * HOUR, HOUR]) {
        let leader = fleet.leader().await;
        let follower = fleet.ids().into_iter().find(|id| *id != leader).expect("there are three");
        let term = fleet.status(leader).await.term;
        for id in [leader, follower] {
            CLOCKS[id as usize - 1].jump(by);
        }
        // Longer than a lease: whoever counted by the wall clock would have declared the server dead meanwhile.
        let over = tokio::time::Instant::now() + lease + lease / 2;
        let mut changes = 0;
        while tokio::time::Instant::now() < over || changes < 5 {
            fleet.create(&format!("db{step}_{changes}")).await.expect("a free name");
            changes += 1;
            let again = route(&fleet.client(), "shop", None).await.expect("its server is up");
            assert_eq!((again.epoch, again.owner), (routed.epoch, routed.owner), "step {step}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(fleet.leader().await, leader, "step {step}");
        assert_eq!(fleet.status(leader).await.term, term, "step {step}");
        // The next jump meets another leader, and another pair of clocks.
        fleet.stop(leader).await;
        fleet.leader().await;
        start(&mut fleet, leader, clocks[leader as usize - 1]);
        fleet.agreed().await;
    }
    assert_eq!(server.shared.loads().len(), server.shared.serving().len(), "nothing was ever loaded again");

    let told = events(&fleet, EventsFrom::After(model::EventId::default())).await;
    assert!(told.iter().any(|event| event.at.0 > NOON as u64), "a leader's clock was ahead: {told:?}");
    assert!(told.is_sorted_by_key(|event| event.at), "events go back: {told:?}");
    let late = told[told.len() / 2].at;
    let since = events(&fleet, EventsFrom::Since(late)).await;
    let first = told.iter().position(|event| event.at >= late).expect("there is one");
    let ids = |events: &[EventInfo]| events.iter().map(|event| event.id).collect::<Vec<_>>();
    // More may have happened in between.
    assert!(ids(&since).starts_with(&ids(&told[first..])), "{since:?} of {told:?}");
}

/// The next leader goes on with what a dead server left, though by its clock that was hours ago.
#[tokio::test]
async fn a_leader_whose_clock_is_hours_ahead_goes_on_with_a_failover_c17() {
    static AHEAD: Clock = Clock::new();
    AHEAD.jump(5 * HOUR);
    let mut fleet = Fleet::stopped(3, |settings| {
        settings.heartbeat = Duration::from_millis(200);
        settings.lease = Duration::from_secs(2);
    });
    // The first leads, and loads nothing in the background.
    for id in 1..=3 {
        fleet.run_with(id, move |mut settings, host, at| {
            settings.failover_per_second = if id == 1 { 0 } else { 50 };
            let clock: fn() -> TimestampMs =
                if id == 1 { || TimestampMs(NOON as u64) } else { || AHEAD.now() };
            run(settings, Host { clock, ..host }, at)
        });
    }
    lead(&mut fleet, 1).await;
    let doomed = Server::start(&fleet, "s1", 1).await;
    fleet.create("shop").await.expect("a free name");
    route(&fleet.client(), "shop", None).await.expect("its server is up");
    let other = Server::start(&fleet, "s2", 2).await;
    doomed.kill().await;
    eventually("the server to be declared dead", || async {
        let first = fleet.one(1);
        let servers = first.any(|client, context| async move { client.servers(context).await }.boxed());
        let servers = servers.await.expect("it runs");
        servers.iter().any(|info| info.name.as_str() == "s1" && info.state == ServerState::Down).then_some(())
    })
    .await;
    assert!(other.shared.loads().is_empty(), "the first leader leaves it to the next");
    fleet.stop(1).await;
    eventually("the database to be loaded by the next leader, without a request", || async {
        (!other.shared.loads().is_empty()).then_some(())
    })
    .await;
    let found = look_up(&fleet.client(), "shop", Consistency::Linearizable).await.expect("it exists");
    assert_eq!(found.epoch, Epoch(2));
}

/// Makes one of them the leader.
async fn lead(fleet: &mut Fleet, id: u64) {
    loop {
        let leader = fleet.leader().await;
        if leader == id {
            return;
        }
        fleet.net.cut_off(&crate::fleet::address(leader));
        eventually("another leader", || async {
            for other in fleet.ids().into_iter().filter(|other| *other != leader) {
                let status = fleet.status(other).await;
                if status.leader.is_some_and(|next| next.0 != leader) {
                    return Some(());
                }
            }
            None
        })
        .await;
        fleet.net.reconnect(&crate::fleet::address(leader));
        fleet.agreed().await;
    }
}
