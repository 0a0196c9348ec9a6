//! A server without a fleet, in this process, for measuring. What controllers and handlers do are the tests' stand-ins.

// Not all of them is needed by each of the examples.
#[allow(dead_code)]
#[path = "../../tests/server/support/client.rs"]
pub mod client;
#[allow(dead_code)]
#[path = "../../tests/server/support/controllers.rs"]
mod controllers;
#[path = "../../tests/server/support/net.rs"]
pub mod net;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use model::{DatabaseId, Epoch, FleetId, Name, RequestId, TimestampMs};
use rpc::{
    Host, Listen, Readiness, Secret, Service,
    handshake::Role,
    server::{LoadRequest, ServerApiClient},
};
use server::{
    Environment, Error, Parts, Settings, Workers,
    engine::{Limits, SystemClock, sqlite::SqliteEngine},
    environment::Sensors,
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use self::net::Net;

/// It runs.
pub struct Lone {
    control: ServerApiClient,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), Error>>,
}

impl Lone {
    /// Starts it, with all its files in `dir`; sessions come in at `data`. In `memory` is its journal, if so.
    pub async fn start(net: &Net, secret: &Secret, dir: &Path, memory: bool, data: impl Listen) -> Self {
        controllers::Controllers::start(net, secret.clone(), FleetId(1));
        let (ready, mut readiness) = watch::channel(Readiness::NotReady("starting".into()));
        let host = Host {
            dial: Arc::new(net.clone()),
            secret: secret.clone(),
            clock: || TimestampMs(1),
            shutdown: CancellationToken::new(),
            ready,
        };
        let shutdown = host.shutdown.clone();
        let parts = Parts {
            engine: Arc::new(SqliteEngine::new(Arc::new(SystemClock::start()), 0)),
            workers: Workers::start().expect("threads"),
            objects: memory.then(|| Arc::new(journal::Memory::default()) as _),
            environment: Environment::new(conditions::Rules::built_in()),
            sensors: Sensors::default(),
        };
        let control = net.listen("control");
        let serving = tokio::spawn(server::run_with(parts, settings(dir), host, data, control));
        readiness.wait_for(|ready| *ready == Readiness::Ready).await.expect("it started");
        let transport = rpc::connect(net, "control", secret, Service::Server, Role::Operator).await;
        let control = ServerApiClient::new(Default::default(), transport.expect("there")).spawn();
        Self { control, shutdown, serving }
    }

    /// Loads a database; the epoch that it has.
    pub async fn load(&self, database: DatabaseId) -> Epoch {
        let status = self.control.status(rpc::context()).await.expect("answers");
        for epoch in (1..).map(Epoch) {
            let request = LoadRequest {
                request: RequestId(1),
                incarnation: status.incarnation,
                database,
                name: Name::new("shop").expect("a name"),
                epoch,
            };
            if self.control.load(rpc::context(), request).await.expect("answers").is_ok() {
                return epoch;
            }
        }
        unreachable!("epochs do not end")
    }

    /// Ends it in order.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.serving.await.expect("no panic").expect("a clean end");
    }
}

fn settings(dir: &Path) -> Settings {
    Settings {
        name: Name::new("alone").expect("a name"),
        data_address: "data".into(),
        control_address: "control".into(),
        location: String::new(),
        capacity: 1,
        cpu_cores: None,
        controllers: vec![controllers::Controllers::ADDRESS.into()],
        data_dir: PathBuf::from(dir).join("server"),
        journal: dir.join("journal").display().to_string(),
        history: Settings::DEFAULT_HISTORY,
        databases_loaded_max: 100_000,
        idle_put_away: Duration::ZERO,
        sessions_max: 1000,
        database: Limits::default(),
    }
}
