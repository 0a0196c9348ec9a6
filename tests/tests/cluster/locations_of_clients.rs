//! Handlers tell where the clients of a database are, and how far servers (R22).

use futures::FutureExt;
use rpc::{controller::DatabaseRef, load::ClientsOf};
use tests::{Cluster, PASSWORD, Role, Session, USER, until};

async fn clients_of(cluster: &Cluster, database: &str) -> Result<Vec<ClientsOf>, rpc::Error> {
    let call = |client: rpc::controller::ControllerApiClient, context| {
        let database = DatabaseRef::parse(database);
        async move { client.clients_of(context, database).await }.boxed()
    };
    cluster.rpc().leader(call).await
}

/// A session of an application.
async fn session(cluster: &Cluster, application: &str, database: &str) -> Session {
    let address = cluster.handler_address(0);
    let mut config = tokio_postgres::Config::new();
    config.host(address.ip().to_string()).port(address.port());
    config.user(USER).password(PASSWORD).dbname(database).application_name(application);
    Session::open_with(&config).await.expect("it may log in")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_counted_by_location_and_fade_when_clients_leave_r22() {
    let cluster = Cluster::builder()
        .controllers(1)
        .handlers(1)
        .servers(1)
        .set(Role::Controller, "load.clients_half_life_ms", 5_000)
        .set(Role::Handler, "location", "\"home\"")
        .set(Role::Handler, "client_networks", "{ \"127.0.0.0/8\" = \"west\", \"10.0.0.0/8\" = \"east\" }")
        .set(Role::Handler, "client_location_from_application", "true")
        .set(Role::Server, "location", "\"rack-1\"")
        .start()
        .await;
    cluster.create("shop").await;
    // By its address one is in the west; the other one says where it is, and the third names no place that there is.
    for (application, requests) in [("shop", 30), ("shop@east", 60), ("shop@made-up", 10)] {
        let session = session(&cluster, application, "shop").await;
        for _ in 0..requests {
            session.batch_execute("SELECT 1").await.expect("answered");
        }
    }
    let shares = until("all requests are told", async || {
        let told = clients_of(&cluster, "shop").await.map_err(|error| error.to_string())?;
        let places: Vec<&str> = told.iter().map(|of| &*of.location).collect();
        // What came first has faded a little more.
        let good = places == ["east", "west"] && (0.5..0.8).contains(&told[0].share);
        if good { Ok(told) } else { Err(format!("{told:?}")) }
    })
    .await;
    until("they fade", async || {
        let told = clients_of(&cluster, "shop").await.map_err(|error| error.to_string())?;
        let (now, before): (f64, f64) =
            (told.iter().map(|of| of.requests).sum(), shares.iter().map(|of| of.requests).sum());
        if now < before / 2.0 { Ok(()) } else { Err(format!("{now} of {before} requests")) }
    })
    .await;
    until("the way to the servers is measured", async || {
        let call = |client: rpc::controller::ControllerApiClient, context| {
            async move { client.loads(context).await }.boxed()
        };
        let info = cluster.rpc().leader(call).await.map_err(|error| error.to_string())?;
        let trip = info.round_trips.iter().find(|(from, to, _)| from == "home" && to == "rack-1");
        trip.filter(|(_, _, ms)| *ms > 0.0).map(drop).ok_or_else(|| format!("{info:?}"))
    })
    .await;
}
