//! A database goes where most of its clients are, once, and not for fewer than were said (R22, R24, S5).
//!
//! The clients, their sessions and the moves are real. On one machine everything is equally far, so round trips are told
//! as two more handlers would, one in each location.

use futures::FutureExt;
use model::HandlerId;
use rpc::{
    controller::{ControllerApiClient, DatabaseRef},
    load::{ClientsReport, RoundTrip},
};
use tests::{Cluster, PASSWORD, Role, Session, USER, until};

/// How long a moved database stays at least, in milliseconds.
const COOLDOWN_MS: u64 = 3_000;

/// Two servers, one in the west and one in the east. What was used counts for a second.
async fn two_locations() -> Cluster {
    let settings = [
        ("balance.interval_ms", "100"),
        ("balance.activity_floor_percent", "100"),
        ("balance.no_return_ms", "0"),
        ("load.clients_half_life_ms", "1000"),
        ("load.clients_requests_min", "20"),
        ("load.warmup_ms", "1000"),
    ];
    let builder = Cluster::builder()
        .controllers(1)
        .handlers(1)
        .servers(2)
        .set(Role::Controller, "balance.cooldown_ms", COOLDOWN_MS)
        .set(Role::Handler, "client_networks", "{ \"10.0.1.0/24\" = \"west\", \"10.0.2.0/24\" = \"east\" }")
        .set(Role::Handler, "client_location_from_application", "true")
        .set_one("server-1", "location", "\"west\"")
        .set_one("server-2", "location", "\"east\"");
    let set = |builder: tests::Builder, (key, value): (&str, &str)| builder.set(Role::Controller, key, value);
    settings.into_iter().fold(builder, set).start().await
}

/// Tells how far the servers are from each location.
async fn tell_distances(cluster: &Cluster) {
    for (handler, here, there) in [(101, "west", "east"), (102, "east", "west")] {
        let trip = |location: &str, round_trip_us| RoundTrip { location: location.into(), round_trip_us };
        let report = ClientsReport {
            handler: HandlerId(handler),
            location: here.into(),
            counts: vec![],
            round_trips: vec![trip(here, 1_000), trip(there, 80_000)],
        };
        let call = |client: ControllerApiClient, context| {
            let report = report.clone();
            async move { client.report_clients(context, report).await }.boxed()
        };
        cluster.rpc().leader(call).await.expect("the leader hears it");
    }
}

/// Clients of one database in both locations.
struct Clients<'a> {
    cluster: &'a Cluster,
    database: &'a str,
    west: Session,
    east: Session,
}

impl<'a> Clients<'a> {
    async fn of(cluster: &'a Cluster, database: &'a str) -> Self {
        cluster.create(database).await;
        let (west, east) =
            (session(cluster, database, "west").await, session(cluster, database, "east").await);
        Self { cluster, database, west, east }
    }

    /// Asks a hundred times, this often from the east.
    async fn ask(&self, east: usize) {
        tell_distances(self.cluster).await;
        for at in 0..100 {
            let from = if at < east { &self.east } else { &self.west };
            from.batch_execute("SELECT 1").await.expect("no client sees an error");
        }
    }

    /// What the leader believes comes from the east, if enough was asked.
    async fn eastern_share(&self) -> Option<f64> {
        let call = |client: ControllerApiClient, context| {
            let database = DatabaseRef::parse(self.database);
            async move { client.clients_of(context, database).await }.boxed()
        };
        let told = self.cluster.rpc().leader(call).await.expect("the leader answers");
        told.iter().find(|of| of.location == "east").map(|of| of.share)
    }

    /// Asks until the database is on this server.
    async fn ask_until_on(&self, server: usize, east: usize) {
        until("it follows its clients", async || {
            self.ask(east).await;
            match self.cluster.owner(self.database).await {
                Some(owner) if owner == server => Ok(()),
                owner => Err(format!("it is on {owner:?}, {:?} from the east", self.eastern_share().await)),
            }
        })
        .await;
    }

    /// When it was moved for distance, in milliseconds, the first time first.
    fn moves(&self) -> Vec<u64> {
        let log = self.cluster.cli().run(&["placement", "log", "--json"]).json();
        let of_it = |made: &&serde_json::Value| made["name"] == self.database && made["cause"] == "location";
        let moves = log.as_array().expect("a list").iter().filter(of_it);
        let mut times: Vec<u64> = moves.map(|made| made["at"].as_u64().expect("a time")).collect();
        times.sort_unstable();
        times
    }
}

async fn session(cluster: &Cluster, database: &str, location: &str) -> Session {
    let address = cluster.handler_address(0);
    let mut config = tokio_postgres::Config::new();
    config.host(address.ip().to_string()).port(address.port());
    config.user(USER).password(PASSWORD).dbname(database).application_name(format!("shop@{location}"));
    Session::open_with(&config).await.expect("it may log in")
}

/// Rounds in which the leader looked for something to move.
async fn rounds(cluster: &Cluster) -> f64 {
    cluster.metric(&cluster.controllers, "stationmaster_controller_plan_seconds_count").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_follows_seventy_percent_of_its_clients_once_and_not_fifty_five_r24() {
    let cluster = two_locations().await;
    let clients = Clients::of(&cluster, "shop").await;
    clients.ask_until_on(0, 0).await;
    let before = clients.moves().len();

    // Fewer than 60 %, for many rounds.
    let begun = rounds(&cluster).await;
    until("many rounds have seen 55 %", async || {
        clients.ask(55).await;
        let (seen, share) = (rounds(&cluster).await - begun, clients.eastern_share().await);
        let known = share.is_some_and(|share| (0.5..0.6).contains(&share));
        if seen >= 40.0 && known { Ok(()) } else { Err(format!("{seen} rounds, {share:?}")) }
    })
    .await;
    assert_eq!((cluster.owner("shop").await, clients.moves().len()), (Some(0), before));

    clients.ask_until_on(1, 70).await;
    let begun = rounds(&cluster).await;
    until("many rounds have seen 70 %", async || {
        clients.ask(70).await;
        let seen = rounds(&cluster).await - begun;
        if seen >= 40.0 { Ok(()) } else { Err(format!("{seen} rounds")) }
    })
    .await;
    assert_eq!((cluster.owner("shop").await, clients.moves().len()), (Some(1), before + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_oscillate_move_their_database_once_per_cool_down_r24_s5() {
    let cluster = two_locations().await;
    let clients = Clients::of(&cluster, "shop").await;
    let first = cluster.owner("shop").await.expect("sessions are open");
    for server in [1 - first, first, 1 - first] {
        clients.ask_until_on(server, [10, 90][server]).await;
    }
    let moves = clients.moves();
    // The second cool-down is twice the first one. A move is noted when it is done, some time after it was decided.
    // Without cool-downs, one second's clients would outweigh all before.
    let took = moves.last().zip(moves.first()).map_or(0, |(last, first)| last - first);
    assert!(moves.len() == 3 && took >= 2 * COOLDOWN_MS, "{moves:?}");
}
