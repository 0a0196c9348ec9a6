//! A fleet of one controller and servers on one journal.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::BytesMut;
use conditions::Rules;
use journal::Objects;
use model::{DatabaseId, Epoch, FleetId, Incarnation, Name, RequestId, TimestampMs};
use rpc::{
    ByteStream, Dial as _, Host, Readiness, Secret, Service,
    environment::{BadWish, EnvironmentApiClient, Watching},
    handshake::Role,
    server::{
        LoadRequest, Loaded, PurgeRequest, ReleaseRequest, ServerApiClient, ServerRefusal, ServerStatus,
    },
};
use server::{Environment, Parts, Settings, Workers, engine::Engine, environment::Sensors};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};
use tokio_postgres::{Client, NoTls};
use tokio_util::sync::CancellationToken;

use super::{
    client::{Asking, Login, log_in, relay},
    controllers::Controllers,
    eventually,
    machine::Machine,
    net::Net,
    toy::Toy,
};

pub const FLEET: FleetId = FleetId(0xf1ee7);

/// The world that servers live in.
pub struct Fleet {
    pub net: Net,
    pub secret: Secret,
    pub controllers: Controllers,
    pub engine: Arc<dyn Engine>,
    pub objects: Option<Arc<dyn Objects>>,
    pub workers: Workers,
    pub rules: Rules,
    pub machine: Option<Machine>,
    pub dir: TempDir,
}

/// A running server.
pub struct Running {
    pub name: String,
    net: Net,
    pub secret: Secret,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), server::Error>>,
    control: tokio::sync::OnceCell<ServerApiClient>,
}

impl Fleet {
    /// On toy databases and a journal in a directory.
    pub fn new() -> Self {
        let (net, secret) = (Net::default(), Secret::new([5; 32]));
        let controllers = Controllers::start(&net, secret.clone(), FLEET);
        let dir = tempfile::tempdir().expect("a directory");
        let workers = Workers::threads(4, 8).expect("threads");
        let engine = Arc::new(Toy);
        Self {
            net,
            secret,
            controllers,
            engine,
            objects: None,
            workers,
            rules: Rules::none(),
            machine: None,
            dir,
        }
    }

    /// On another journal.
    pub fn with_objects(objects: Arc<dyn Objects>) -> Self {
        Self { objects: Some(objects), ..Self::new() }
    }

    /// On a machine that the test describes.
    pub fn watching(self, rules: Rules, machine: Machine) -> Self {
        Self { rules, machine: Some(machine), ..self }
    }

    /// The same without threads, for tests that own the clock: it stands still only while tasks do.
    pub fn inline(objects: Arc<dyn Objects>) -> Self {
        Self { workers: Workers::inline(), ..Self::with_objects(objects) }
    }

    pub fn settings(&self, name: &str) -> Settings {
        Settings {
            name: Name::new(name).expect("a name"),
            data_address: format!("{name}:data"),
            control_address: format!("{name}:control"),
            location: "here".into(),
            capacity: Settings::DEFAULT_CAPACITY,
            cpu_cores: None,
            controllers: vec![Controllers::ADDRESS.into()],
            data_dir: self.data_dir(name),
            journal: self.dir.path().join("journal").display().to_string(),
            history: Settings::DEFAULT_HISTORY,
            databases_loaded_max: 100,
            idle_put_away: Duration::ZERO,
            sessions_max: 1000,
            database: server::engine::Limits::default(),
        }
    }

    pub fn data_dir(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts a server and waits until it is registered.
    pub async fn start(&self, name: &str) -> Running {
        self.start_with(self.settings(name)).await
    }

    pub async fn start_with(&self, settings: Settings) -> Running {
        let shutdown = CancellationToken::new();
        let (ready_sender, mut ready) = watch::channel(Readiness::NotReady("starting".into()));
        let name = settings.name.to_string();
        let task = tokio::spawn(self.serve(settings, shutdown.clone(), ready_sender));
        ready.wait_for(|ready| *ready == Readiness::Ready).await.expect("it started");
        Running {
            name,
            net: self.net.clone(),
            secret: self.secret.clone(),
            shutdown,
            task,
            control: tokio::sync::OnceCell::new(),
        }
    }
}

impl Fleet {
    /// Runs a server that is expected to end by itself.
    pub async fn run(&self, settings: Settings) -> Result<(), server::Error> {
        let (ready, _) = watch::channel(Readiness::NotReady("starting".into()));
        self.serve(settings, CancellationToken::new(), ready).await
    }

    fn serve(
        &self,
        settings: Settings,
        shutdown: CancellationToken,
        ready: watch::Sender<Readiness>,
    ) -> impl Future<Output = Result<(), server::Error>> + use<> {
        let host = Host {
            dial: Arc::new(self.net.clone()),
            secret: self.secret.clone(),
            clock: || TimestampMs(1),
            shutdown,
            ready,
        };
        let (data, control) =
            (self.net.listen(&settings.data_address), self.net.listen(&settings.control_address));
        let machine = self.machine.clone();
        let parts = Parts {
            engine: Arc::clone(&self.engine),
            workers: self.workers.clone(),
            objects: self.objects.clone(),
            environment: Environment::new(self.rules.clone()),
            sensors: Sensors {
                readers: machine.map(|machine| Box::new(machine) as _).into_iter().collect(),
                probe: None,
            },
        };
        server::run_with(parts, settings, host, data, control)
    }
}

impl Running {
    async fn control(&self) -> &ServerApiClient {
        self.control
            .get_or_init(async || {
                let address = format!("{}:control", self.name);
                let (service, role) = (Service::Server, Role::Controller);
                let connected = rpc::connect(&self.net, &address, &self.secret, service, role).await;
                ServerApiClient::new(Default::default(), connected.expect("it listens")).spawn()
            })
            .await
    }

    async fn environment(&self) -> EnvironmentApiClient {
        let address = format!("{}:control", self.name);
        let (service, role) = (Service::Environment, Role::Operator);
        let connected = rpc::connect(&self.net, &address, &self.secret, service, role).await;
        EnvironmentApiClient::new(Default::default(), connected.expect("it listens")).spawn()
    }

    pub async fn watching(&self) -> Watching {
        self.environment().await.watching(rpc::context()).await.expect("it answers")
    }

    pub async fn set_filter(&self, filter: &str) -> Result<Watching, BadWish> {
        self.environment().await.set_filter(rpc::context(), filter.into()).await.expect("it answers")
    }

    pub async fn status(&self) -> ServerStatus {
        self.control().await.status(rpc::context()).await.expect("it answers")
    }

    pub async fn load(&self, database: u64, epoch: u64) -> Result<Loaded, ServerRefusal> {
        let incarnation = self.status().await.incarnation;
        self.load_in(incarnation, database, epoch).await
    }

    pub async fn load_in(
        &self,
        incarnation: Incarnation,
        database: u64,
        epoch: u64,
    ) -> Result<Loaded, ServerRefusal> {
        let request = LoadRequest {
            request: RequestId(7),
            incarnation,
            database: DatabaseId(database),
            name: Name::new("shop").expect("a name"),
            epoch: Epoch(epoch),
        };
        self.control().await.load(rpc::context(), request).await.expect("it answers")
    }

    pub async fn release(&self, database: u64, epoch: u64, patience_ms: u32) -> Result<(), ServerRefusal> {
        let incarnation = self.status().await.incarnation;
        let (request, database, epoch) = (RequestId(8), DatabaseId(database), Epoch(epoch));
        let request = ReleaseRequest { request, incarnation, database, epoch, patience_ms };
        self.control().await.release(rpc::context(), request).await.expect("it answers")
    }

    pub async fn purge(&self, database: u64, epoch: u64) -> Result<(), ServerRefusal> {
        let (request, database, epoch) = (RequestId(9), DatabaseId(database), Epoch(epoch));
        let request = PurgeRequest { request, fleet: FLEET, database, epoch, parent: None };
        self.control().await.purge(rpc::context(), request).await.expect("it answers")
    }

    pub async fn dial(&self) -> Box<dyn ByteStream> {
        self.net.dial(&format!("{}:data", self.name)).await.expect("it listens")
    }

    /// Logs in as a handler for a session.
    pub async fn log_in(&self, database: u64, epoch: u64) -> (Box<dyn ByteStream>, Login) {
        let asking = Asking::new(&self.secret, DatabaseId(database), Epoch(epoch));
        let mut stream = self.dial().await;
        let login = log_in(&mut stream, &asking).await;
        (stream, login)
    }

    /// A raw session, after its login.
    pub async fn raw(&self, database: u64, epoch: u64) -> (Box<dyn ByteStream>, BytesMut) {
        match self.log_in(database, epoch).await {
            (stream, Login::Welcome(greeting)) => (stream, greeting),
            (_, refused) => panic!("refused: {refused:?}"),
        }
    }

    /// A session of an ordinary client.
    pub async fn connect(&self, database: u64, epoch: u64) -> Client {
        let (stream, greeting) = self.raw(database, epoch).await;
        let mut config = tokio_postgres::Config::new();
        config.user("alice").dbname("shop");
        let (client, connection) =
            config.connect_raw(relay(stream, greeting), NoTls).await.expect("it is logged in");
        tokio::spawn(async move {
            // The client sees how it ends.
            let _ = connection.await;
        });
        client
    }

    /// Waits until so many databases are loaded.
    pub async fn has_loaded(&self, count: usize) {
        eventually("databases loaded", async || {
            let loaded = self.status().await.databases.len();
            if loaded == count { Ok(()) } else { Err(loaded) }
        })
        .await;
    }

    /// Ends it as a signal does.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("no panic").expect("a clean end");
    }

    /// Ends it as a crash does: nothing is sealed, nothing is said.
    pub async fn kill(self) {
        self.task.abort();
        let error = self.task.await.expect_err("aborted");
        assert!(error.is_cancelled());
    }
}

/// The SQLSTATE of a failed query; `closed` when the connection broke without one.
pub fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(|| "closed".into(), |state| state.code().into())
}
