//! The product's own roles on simulated hosts: whole controllers, servers and handlers, started as the program starts them,
//! with another network, disk, store and clock.

use std::{path::Path, sync::Arc, time::Duration};

use conditions::Rules;
use controller::{Worker, run_on};
use journal::Objects;
use model::{ControllerId, Name};
use rpc::{Host, Readiness, Secret};
use server::{
    Environment, Parts, Workers,
    engine::{Limits, sqlite::SqliteEngine},
    environment::Sensors,
    limits::SQLITE_MEMORY_BYTES_MAX,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    disk::SimDisk,
    host::{Process, Start},
    net::{At, Net},
    record::Record,
    store::Store,
    tap::Tapped,
    time::{EngineClock, wall},
};

/// How many controllers there are.
pub const CONTROLLERS: u64 = 3;
/// Where controllers answer, everybody and each other.
const CONTROLLER_PORT: &str = ":7101";
/// Where servers answer controllers.
const CONTROL_PORT: &str = ":7201";

/// The fleet's secret.
pub fn secret() -> Secret {
    Secret::new([7; 32])
}

/// Where a controller is.
pub fn controller_address(id: u64) -> String {
    format!("c{id}{CONTROLLER_PORT}")
}

/// Whether tarpc is spoken at an address: it is no handler's, and no server's for data.
pub fn speaks_tarpc(address: &str) -> bool {
    address.ends_with(CONTROLLER_PORT) || address.ends_with(CONTROL_PORT)
}

/// All controllers.
pub fn controller_addresses() -> Vec<String> {
    (1..=CONTROLLERS).map(controller_address).collect()
}

/// Where a handler is.
pub fn handler_address(id: u64) -> String {
    format!("h{id}:5432")
}

fn host(at: &At) -> Host {
    Host {
        dial: Arc::new(at.clone()),
        secret: secret(),
        clock: wall,
        shutdown: CancellationToken::new(),
        ready: watch::Sender::new(Readiness::NotReady("starting".into())),
    }
}

/// What a role ended with.
fn ending<E: std::error::Error>(result: Result<(), E>) -> String {
    match result {
        Ok(()) => "nothing was wrong".into(),
        Err(error) => error.to_string(),
    }
}

/// A controller on its disk.
pub fn controller(net: &Net, id: u64, disk: &SimDisk) -> Start {
    let (at, disk) = (net.at(&format!("c{id}").into()), disk.clone());
    Arc::new(move || -> Process {
        let members = (1..=CONTROLLERS).map(|id| (ControllerId(id), controller_address(id))).collect();
        let address = controller_address(id);
        let mut settings =
            controller::Settings::new(ControllerId(id), address.clone(), "/simulated".into(), members);
        // Often enough for one to be made, sent and installed in a run.
        settings.snapshot_every = 100;
        let (host, door) = (host(&at), at.listen(&address));
        let (disk, calculator) = (Arc::new(disk.clone()), Worker::here("calculator", ()));
        Box::pin(async move { ending(run_on(settings, host, door, disk, calculator).await) })
    })
}

/// A server, with real SQLite on working copies below `dir`, and real journals in the store.
pub fn server(net: &Net, id: u64, store: &Store, dir: &Path, record: &Arc<Record>) -> Start {
    let name = format!("s{id}");
    let (at, objects) = (net.at(&name.as_str().into()), store.at(&name));
    let (dir, record) = (dir.join(&name), record.clone());
    Arc::new(move || -> Process {
        let settings = server_settings(&name, &dir);
        let parts = server_parts(objects.clone());
        let data =
            Tapped { door: at.listen(&settings.data_address), server: id as i64, record: record.clone() };
        let (host, control) = (host(&at), at.listen(&settings.control_address));
        Box::pin(async move { ending(server::run_with(parts, settings, host, data, control).await) })
    })
}

fn server_settings(name: &str, dir: &Path) -> server::Settings {
    server::Settings {
        name: Name::new(name).expect("BUG: a name"),
        data_address: format!("{name}:5433"),
        control_address: format!("{name}{CONTROL_PORT}"),
        location: String::new(),
        capacity: server::Settings::DEFAULT_CAPACITY,
        cpu_cores: Some(1.0),
        controllers: controller_addresses(),
        data_dir: dir.to_path_buf(),
        journal: String::new(),
        history: server::Settings::DEFAULT_HISTORY,
        databases_loaded_max: 100,
        idle_put_away: Duration::ZERO,
        sessions_max: 1_000,
        database: Limits::default(),
    }
}

fn server_parts(objects: Arc<dyn Objects>) -> Parts {
    Parts {
        engine: Arc::new(SqliteEngine::new(Arc::new(EngineClock), SQLITE_MEMORY_BYTES_MAX)),
        workers: Workers::inline(),
        objects: Some(objects),
        environment: Environment::new(Rules::none()),
        sensors: Sensors { readers: Vec::new(), probe: None },
    }
}

/// A handler.
pub fn handler(net: &Net, id: u64) -> Start {
    let at = net.at(&format!("h{id}").into());
    Arc::new(move || -> Process {
        let address = handler_address(id);
        let name = Name::new(&format!("h{id}")).expect("BUG: a name");
        let settings = handler::Settings::new(name, address.clone(), controller_addresses());
        let (host, door) = (host(&at), at.listen(&address));
        Box::pin(async move { ending(handler::run(settings, host, door).await) })
    })
}
