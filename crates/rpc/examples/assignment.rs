//! The controllers as an assignment service for something of your own: what they call a database is any thing that one
//! of your servers has to have at a time, under an epoch that fences the one before.
//!
//! `assignment HOST:PORT[,HOST:PORT…] SECRET_FILE`, the controllers and the fleet's secret. It registers a server, sends
//! heartbeats, makes a thing, asks for the way to it, looks it up, takes it away, and prints what the watch tells.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::FutureExt;
use model::{DatabaseId, Epoch, IdempotencyKey, Incarnation, Name, Registration, RequestId, Revision};
use rpc::{
    Controllers, Error, Listen, Secret, Service, TcpDial,
    controller::{
        Consistency, ControllerApiClient, DatabaseRef, Heartbeat, LookUp, Operation, RouteRequest,
        ServerLoad, ServerRegistered, WatchedChange, WatchedChanges,
    },
    handshake::Role,
    server::*,
    tarpc::context::Context,
};
use tokio::net::TcpListener;

/// A server of ours: it is told what to have, and under which epoch.
#[derive(Clone)]
struct Shard {
    /// Its life: random, made at its start.
    incarnation: Incarnation,
    has: Arc<Mutex<BTreeMap<DatabaseId, Epoch>>>,
}

/// What the controllers ask of a server. Each call may be repeated.
impl ServerApi for Shard {
    /// Fence whatever you keep with the epoch, so that no older owner can change it any more; then have it.
    async fn load(self, _: Context, request: LoadRequest) -> Result<Loaded, ServerRefusal> {
        let mut has = self.has.lock().expect("nobody panics with it");
        let before = has.insert(request.database, request.epoch);
        Ok(Loaded { already: before == Some(request.epoch), took_us: 0 })
    }

    /// Finish what runs, and let go.
    async fn release(self, _: Context, request: ReleaseRequest) -> Result<(), ServerRefusal> {
        self.has.lock().expect("nobody panics with it").remove(&request.database);
        Ok(())
    }

    /// Delete what is dropped, for good.
    async fn purge(self, _: Context, request: PurgeRequest) -> Result<(), ServerRefusal> {
        self.has.lock().expect("nobody panics with it").remove(&request.database);
        Ok(())
    }

    async fn fork(self, _: Context, _: ForkRequest) -> Result<Forked, ServerRefusal> {
        Err(ServerRefusal::CannotFork { reason: "these things have no copies".into() })
    }

    async fn status(self, _: Context) -> ServerStatus {
        let has = self.has.lock().expect("nobody panics with it").clone();
        let databases = has.into_iter().map(|(database, epoch)| LoadedDatabase {
            database,
            epoch,
            sessions: 0,
            idle_ms: 0,
            closing: false,
        });
        // Another life in its place would be proof that the one they know is over.
        ServerStatus { name: name(), incarnation: self.incarnation, databases: databases.collect() }
    }
}

fn name() -> Name {
    Name::new("example-shard").expect("a good name")
}

/// Answers the controllers, who prove that they know the fleet's secret.
async fn answer(mut listener: TcpListener, shard: Shard, secret: Secret) {
    while let Ok((mut stream, _)) = Listen::accept(&mut listener).await {
        let (shard, secret) = (shard.clone(), secret.clone());
        tokio::spawn(async move {
            if rpc::accept(&mut stream, &secret, &[Service::Server]).await.is_ok() {
                rpc::serve!(stream, shard.serve());
            }
        });
    }
}

/// Shows that this server lives. Past the lease of the last answered heartbeat, stop what must not be done twice;
/// refused with `ServerNotUp`, the life is over: drop everything and register another one.
async fn live(controllers: Controllers, registered: ServerRegistered, incarnation: Incarnation) {
    loop {
        let call = |client: ControllerApiClient, context| {
            let (server, load) = (registered.server, ServerLoad::default());
            let heartbeat = Heartbeat { server, incarnation, load, put_away: Vec::new() };
            async move { client.heartbeat(context, heartbeat).await }.boxed()
        };
        if let Err(error) = controllers.leader(call).await {
            eprintln!("a heartbeat failed: {error}");
        }
        tokio::time::sleep(Duration::from_millis(registered.heartbeat_ms)).await;
    }
}

/// Tells what changed since a revision: the changes show the state now, so none is missed by being read late.
async fn watch(controllers: &Controllers, since: Revision) -> Result<(Revision, Vec<String>), Error> {
    let asked = controllers
        .any(move |client, context| async move { client.watch(context, since, 1_000).await }.boxed());
    let watched = asked.await?;
    let told = match watched.changes {
        WatchedChanges::Reset => vec!["forget everything that was cached".into()],
        WatchedChanges::Since(changes) => changes.iter().map(shown).collect(),
    };
    Ok((watched.revision, told))
}

fn shown(change: &WatchedChange) -> String {
    match change {
        WatchedChange::Database(info) => {
            let owner = info.owner.as_ref().map_or("nobody", |owner| &owner.server);
            format!("{} is {owner}'s at epoch {}", info.name, info.epoch)
        }
        WatchedChange::DatabaseDropped(id) => format!("{id} is gone"),
        WatchedChange::Server { server, state, .. } => format!("server {server} is {state:?}"),
        WatchedChange::Handler(info) => format!("handler {} is at {}", info.name, info.address),
        WatchedChange::User(name) => format!("user {name} changed"),
        WatchedChange::Directives => "directives changed".into(),
    }
}

/// Does all of it once; gives what it found out.
///
/// # Errors
/// Whatever the controllers say.
pub async fn run(addresses: Vec<String>, secret: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let secret = Secret::from_file(secret)?;
    let controllers = Controllers::new(addresses, Arc::new(TcpDial), secret.clone(), Role::Server);
    let mut said = Vec::new();

    let incarnation = Incarnation(rand::random());
    let shard = Shard { incarnation, has: Arc::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let control_address = listener.local_addr()?.to_string();
    tokio::spawn(answer(listener, shard.clone(), secret));
    let registration = Registration {
        name: name(),
        data_address: "127.0.0.1:9".into(),
        control_address,
        location: "here".into(),
        capacity: 1,
    };
    let register = |client: ControllerApiClient, context| {
        let registration = registration.clone();
        async move { client.register_server(context, registration, incarnation).await }.boxed()
    };
    let registered = controllers.leader(register).await?;
    let living = tokio::spawn(live(controllers.clone(), registered, incarnation));
    said.push(format!("registered {}", name()));

    // A key makes the create harmless to repeat: it is the same thing, however often it is asked for.
    let thing = format!("thing-{:08x}", rand::random::<u32>());
    let create = Operation::CreateDatabase { name: thing.clone(), key: IdempotencyKey(rand::random()) };
    let made = controllers.operate(RequestId(rand::random()), create).await?;
    let since = made.revision;

    // The way to it: assigned and loaded if need be, by one entry and one load however many ask at once.
    let database = DatabaseRef::Name(thing.clone());
    let ask = RouteRequest {
        request: RequestId(rand::random()),
        database: database.clone(),
        at_least: since,
        failed: None,
    };
    let route = |client: ControllerApiClient, context| {
        let ask = ask.clone();
        async move { client.route(context, ask).await }.boxed()
    };
    let route = controllers.leader(route).await?;
    let epoch = shard.has.lock().expect("nobody panics with it").get(&route.database).copied();
    said.push(format!(
        "routed to {} under the epoch that it was told: {}",
        route.address,
        epoch == Some(route.epoch)
    ));

    // Any controller answers a look-up, never with less than the caller has seen; the leader with the newest there is.
    let look_up = LookUp { database: database.clone(), consistency: Consistency::AtLeast(route.revision) };
    let look = |client: ControllerApiClient, context| {
        let look_up = look_up.clone();
        async move { client.look_up(context, look_up).await }.boxed()
    };
    let found = controllers.leader(look).await?;
    said.push(format!(
        "looked up: {}",
        found.owner.map_or_else(|| "nobody's".into(), |owner| owner.server.to_string())
    ));

    let away = Operation::UnassignDatabase { database: database.clone() };
    controllers.operate(RequestId(rand::random()), away).await?;
    let (_, told) = watch(&controllers, since).await?;
    said.extend(told.into_iter().map(|told| format!("watched: {}", told.replace(&thing, "the thing"))));
    controllers.operate(RequestId(rand::random()), Operation::DropDatabase { database }).await?;
    living.abort();
    Ok(said)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(controllers), Some(secret)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: assignment HOST:PORT[,HOST:PORT…] SECRET_FILE");
        std::process::exit(64);
    };
    let addresses = controllers.split(',').map(Into::into).collect();
    for line in run(addresses, Path::new(&secret)).await? {
        println!("{line}");
    }
    Ok(())
}
