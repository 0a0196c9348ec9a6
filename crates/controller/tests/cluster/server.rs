//! A server made of a few lines: registers, sends heartbeats, counts what it is told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::FutureExt;
use model::{DatabaseId, Epoch, Fork, Incarnation, Name, Registration};
use rpc::{
    Controllers, Listen, Service,
    controller::{Heartbeat, ServerHealth, ServerLoad, ServerRegistered},
    handshake::Role,
    server::*,
    tarpc::context::Context,
};
use tokio::{sync::watch, task::JoinSet};

use crate::fleet::Fleet;

/// A server that runs. Dropped, it is as if killed.
pub struct Server {
    pub registered: ServerRegistered,
    pub shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// What it knows.
pub struct Shared {
    pub incarnation: Incarnation,
    held: watch::Sender<Held>,
    state: Mutex<State>,
}

/// What it does not answer for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Nothing,
    /// Releases, which are done all the same.
    Releases,
    /// Loads, which are not even begun.
    Loads,
    /// Forks, which are done all the same.
    Forks,
}

#[derive(Default)]
struct State {
    /// Every load asked for, in order.
    loads: Vec<(DatabaseId, Epoch)>,
    serving: BTreeMap<DatabaseId, Epoch>,
    /// Epochs up to this are used up.
    spent: BTreeMap<DatabaseId, Epoch>,
    released: Vec<DatabaseId>,
    purged: Vec<DatabaseId>,
    /// Every copy asked for, in order.
    forks: Vec<(DatabaseId, Fork)>,
    /// What it says to those.
    forks_refused: Option<ServerRefusal>,
    failing: bool,
    /// Loads what it has let go of again, under whatever epoch.
    forgiving: bool,
    /// Does not know of its life, and sends no heartbeats for it.
    between_lives: bool,
    /// What it says of itself.
    health: ServerHealth,
    /// Requests that it answers with each heartbeat.
    busy: u64,
    requests: u64,
    /// Put away, to be told with the next heartbeat.
    put_away: Vec<(DatabaseId, Epoch)>,
}

impl Server {
    /// Registers and goes on living.
    pub async fn start(fleet: &Fleet, name: &str, incarnation: u64) -> Self {
        let (data, control) = (format!("{name}:1"), format!("{name}:2"));
        let incarnation = Incarnation(incarnation);
        let shared = Arc::new(Shared {
            incarnation,
            held: watch::Sender::new(Held::Nothing),
            state: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        let mut listener = fleet.net.listen(&control);
        let (secret, service) = (fleet.secret.clone(), Api(shared.clone()));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (secret, service) = (secret.clone(), service.clone());
                connections.spawn(async move {
                    if rpc::accept(&mut stream, &secret, &[Service::Server]).await.is_ok() {
                        rpc::serve!(stream, service.serve());
                    }
                });
            }
        });
        let addresses = fleet.client().addresses();
        let client =
            Controllers::new(addresses, fleet.net.from(&control), fleet.secret.clone(), Role::Server);
        let registration = Registration {
            name: Name::new(name).expect("a name"),
            data_address: data,
            control_address: control,
            location: "here".into(),
            capacity: 1,
        };
        let registered = register(&client, registration, incarnation).await;
        let lives = shared.clone();
        let every = Duration::from_millis(registered.heartbeat_ms);
        let server = registered.server;
        tasks.spawn(async move {
            loop {
                lives.beat(&client, server).await;
                tokio::time::sleep(every).await;
            }
        });
        Self { registered, shared, tasks }
    }

    /// Stops sending heartbeats and answering, at once.
    pub async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Registers as this server would, from another machine that uses the same addresses; what the leader says.
pub async fn impostor(fleet: &Fleet, name: &str, incarnation: u64) -> Result<ServerRegistered, rpc::Error> {
    let registration = Registration {
        name: Name::new(name).expect("a name"),
        data_address: format!("{name}:1"),
        control_address: format!("{name}:2"),
        location: "there".into(),
        capacity: 1,
    };
    try_register(&fleet.client(), registration, Incarnation(incarnation)).await
}

async fn register(
    client: &Controllers,
    registration: Registration,
    incarnation: Incarnation,
) -> ServerRegistered {
    try_register(client, registration, incarnation).await.expect("a leader takes it")
}

async fn try_register(
    client: &Controllers,
    registration: Registration,
    incarnation: Incarnation,
) -> Result<ServerRegistered, rpc::Error> {
    let call = |client: rpc::controller::ControllerApiClient, context| {
        let registration = registration.clone();
        async move { client.register_server(context, registration, incarnation).await }.boxed()
    };
    client.leader(call).await
}

impl Shared {
    fn state<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        with(&mut self.state.lock().expect("nothing panics here"))
    }

    async fn beat(&self, client: &Controllers, server: model::ServerId) {
        if self.state(|state| state.between_lives) {
            return;
        }
        let (put_away, requests_total, health) = self.state(|state| {
            state.requests += state.busy;
            (state.put_away.clone(), state.requests, state.health)
        });
        let heartbeat = Heartbeat {
            server,
            incarnation: self.incarnation,
            load: ServerLoad { requests_total, health, ..ServerLoad::default() },
            put_away: put_away.clone(),
        };
        let call = |client: rpc::controller::ControllerApiClient, context| {
            let heartbeat = heartbeat.clone();
            async move { client.heartbeat(context, heartbeat).await }.boxed()
        };
        if client.leader(call).await.is_ok() {
            self.state(|state| state.put_away.retain(|told| !put_away.contains(told)));
        }
    }

    /// Every load asked for, in order.
    pub fn loads(&self) -> Vec<(DatabaseId, Epoch)> {
        self.state(|state| state.loads.clone())
    }

    /// What it was told to let go of.
    pub fn released(&self) -> Vec<DatabaseId> {
        self.state(|state| state.released.clone())
    }

    /// What it was told to purge.
    pub fn purged(&self) -> Vec<DatabaseId> {
        self.state(|state| state.purged.clone())
    }

    /// Every copy asked for, in order.
    pub fn forks(&self) -> Vec<(DatabaseId, Fork)> {
        self.state(|state| state.forks.clone())
    }

    /// Says so to everybody who asks for a copy.
    pub fn refuse_forks(&self, refusal: ServerRefusal) {
        self.state(|state| state.forks_refused = Some(refusal));
    }

    /// Answers no more of these, or everything again.
    pub fn hold(&self, what: Held) {
        self.held.send_replace(what);
    }

    async fn held(&self, what: Held) {
        let mut held = self.held.subscribe();
        drop(held.wait_for(|held| *held != what).await);
    }

    /// What it serves, and under which epoch.
    pub fn serving(&self) -> BTreeMap<DatabaseId, Epoch> {
        self.state(|state| state.serving.clone())
    }

    /// Says from now on that it feels like this.
    pub fn feel(&self, health: ServerHealth) {
        self.state(|state| state.health = health);
    }

    /// Does not know of its life any more, or not yet.
    pub fn forget_life(&self) {
        self.state(|state| state.between_lives = true);
    }

    /// Answers so many requests between two heartbeats from now on.
    pub fn work(&self, requests: u64) {
        self.state(|state| state.busy = requests);
    }

    /// Fails every load from now on.
    pub fn fail(&self) {
        self.state(|state| state.failing = true);
    }

    /// Loads everything from now on, whatever epochs are used up: nothing but what is asked of controllers changes owners.
    pub fn forgive(&self) {
        self.state(|state| state.forgiving = true);
    }

    /// Puts a database away on its own, and tells so.
    pub fn put_away(&self, database: DatabaseId) {
        self.state(|state| {
            let epoch = state.serving.remove(&database).expect("it is served");
            state.spent.insert(database, epoch);
            state.put_away.push((database, epoch));
        });
    }
}

#[derive(Clone)]
struct Api(Arc<Shared>);

impl Api {
    fn meant(&self, incarnation: Incarnation) -> Result<(), ServerRefusal> {
        if incarnation == self.0.incarnation {
            Ok(())
        } else {
            Err(ServerRefusal::AnotherLife { incarnation: self.0.incarnation })
        }
    }
}

impl ServerApi for Api {
    async fn load(self, _: Context, request: LoadRequest) -> Result<Loaded, ServerRefusal> {
        self.meant(request.incarnation)?;
        // Takes a moment, so that those who ask at the same time overlap.
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.0.held(Held::Loads).await;
        let LoadRequest { database, epoch, .. } = request;
        self.0.state(|state| {
            state.loads.push((database, epoch));
            if state.failing {
                return Err(ServerRefusal::Failed { database, reason: "the disk is on fire".into() });
            }
            match state.spent.get(&database) {
                Some(journal) if *journal >= epoch && !state.forgiving => {
                    Err(ServerRefusal::EpochSpent { database, epoch, journal: *journal })
                }
                Some(_) | None => {
                    let already = state.serving.insert(database, epoch) == Some(epoch);
                    Ok(Loaded { already, took_us: 1 })
                }
            }
        })
    }

    async fn release(self, _: Context, request: ReleaseRequest) -> Result<(), ServerRefusal> {
        self.meant(request.incarnation)?;
        self.0.state(|state| {
            state.released.push(request.database);
            if let Some(epoch) = state.serving.remove(&request.database) {
                state.spent.insert(request.database, epoch);
            }
        });
        self.0.held(Held::Releases).await;
        Ok(())
    }

    async fn fork(self, _: Context, request: ForkRequest) -> Result<Forked, ServerRefusal> {
        let refused = self.0.state(|state| {
            state.forks.push((request.database, request.fork));
            state.forks_refused.clone()
        });
        self.0.held(Held::Forks).await;
        refused.map_or(Ok(Forked { position: 1, copied: false }), Err)
    }

    async fn purge(self, _: Context, request: PurgeRequest) -> Result<(), ServerRefusal> {
        self.0.state(|state| state.purged.push(request.database));
        Ok(())
    }

    async fn status(self, _: Context) -> ServerStatus {
        ServerStatus {
            name: Name::new("fake").expect("a name"),
            incarnation: self.0.state(|state| match state.between_lives {
                true => Incarnation(0),
                false => self.0.incarnation,
            }),
            databases: self
                .0
                .serving()
                .into_iter()
                .map(|(database, epoch)| loaded(database, epoch))
                .collect(),
        }
    }
}

fn loaded(database: DatabaseId, epoch: Epoch) -> LoadedDatabase {
    LoadedDatabase { database, epoch, sessions: 0, idle_ms: 0, closing: false }
}
