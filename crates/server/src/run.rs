//! The role from start to end: puts the parts together, opens the doors, and closes them in order.

use std::sync::{Arc, OnceLock};

use model::Incarnation;
use rpc::{Controllers, Host, Listen, Secret, handshake::Role};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Settings,
    cancel::Cancels,
    control::{self, Control},
    directory::Directory,
    engine::{Engine, SystemClock, sqlite::SqliteEngine},
    environment::{Environment, Linux, Own, Sensors, Telling},
    lease::Lease,
    life::Life,
    limits::{
        ACCEPT_PAUSE, FILES_PER_SESSION, SQLITE_MEMORY_BYTES_MAX, STORE_PATIENCE, STORE_PAUSE,
        UNAUTHENTICATED_MAX,
    },
    measures,
    protection::{Admission, Protection},
    registration::Registrar,
    residency::{Parts as Shares, Residents, World, cache::Cache, reports::Reports},
    session::{self, Front, Herald, Roster, startup::Logins},
    usage::{Processor, Teller},
    vitals::Vitals,
    workers::Workers,
};

/// What a server works with that a test or a simulation wants to choose.
pub struct Parts {
    /// Opens databases.
    pub engine: Arc<dyn Engine>,
    /// Where engines run.
    pub workers: Workers,
    /// Where journals are; by default the place in the settings.
    pub objects: Option<Arc<dyn journal::Objects>>,
    /// What goes on around it, by which rules.
    pub environment: Environment,
    /// What that is measured with.
    pub sensors: Sensors,
}

/// Runs a server on SQLite and real threads until `host.shutdown`; see [`run_with`]. It watches the machine that it is on.
///
/// # Errors
/// As [`run_with`].
pub async fn run(
    settings: Settings,
    environment: Environment,
    host: Host,
    data: impl Listen,
    control: impl Listen,
) -> Result<(), Error> {
    let engine = SqliteEngine::new(Arc::new(SystemClock::start()), SQLITE_MEMORY_BYTES_MAX);
    let path = settings.data_dir.clone();
    let workers =
        Workers::start().map_err(|source| Error::File { action: "start threads for", path, source })?;
    let sensors = sensors(&settings);
    let parts = Parts { engine: Arc::new(engine), workers, objects: None, environment, sensors };
    run_with(parts, settings, host, data, control).await
}

/// This machine, seen from a server.
fn sensors(settings: &Settings) -> Sensors {
    let journal = match journal::Place::of(&settings.journal) {
        Ok(journal::Place::Directory(path)) => Some(path.to_path_buf()),
        Ok(journal::Place::Url(_)) | Err(_) => None,
    };
    let linux = Linux::new(settings.data_dir.clone(), journal);
    Sensors { readers: vec![Box::new(linux)], probe: Some(settings.data_dir.join("probe")) }
}

/// Runs a server with the given parts until `host.shutdown`; then every database is put away.
///
/// `data` takes handlers on the PostgreSQL wire, `control` takes controllers and operators.
///
/// # Errors
/// [`Error`] when it cannot start, or finds itself in another fleet.
pub async fn run_with(
    parts: Parts,
    settings: Settings,
    host: Host,
    data: impl Listen,
    control: impl Listen,
) -> Result<(), Error> {
    measures::describe();
    raise_file_limit(settings.sessions_max);
    let dir = settings.data_dir.clone();
    let cache = parts.workers.run(move || Cache::take(&dir)).await?;
    let secret = host.secret.clone();
    let logins = parts.workers.run(move || Logins::new(&secret)).await;
    let front = Arc::new(Front::new(&parts, logins, settings.sessions_max, host.clock));
    let addresses = settings.controllers.clone();
    let registrar = Registrar {
        controllers: Controllers::new(addresses, host.dial.clone(), host.secret.clone(), Role::Server),
        registration: settings.registration(),
        life: Life::default(),
        lease: Lease::none(Instant::now()),
        front: Arc::clone(&front),
        host,
    };
    let service =
        Control { name: settings.name.clone(), life: registrar.life.clone(), front: Arc::clone(&front) };

    let mut tasks = JoinSet::new();
    let closing = CancellationToken::new();
    tasks.spawn(accept_data(Arc::clone(&front), data, closing.clone()));
    tasks.spawn(accept_control(service, control, registrar.host.secret.clone(), closing.clone()));
    tasks.spawn(front.directory.clone().keep(registrar.controllers.clone(), closing.clone()));
    let result = live(&registrar, parts, cache, &settings).await;
    closing.cancel();
    while tasks.join_next().await.is_some() {}
    result
}

/// Registers, serves until the end, and puts everything away.
async fn live(registrar: &Registrar, parts: Parts, cache: Cache, settings: &Settings) -> Result<(), Error> {
    let Some(registered) = registrar.register().await? else { return Ok(()) };
    let Parts { engine, workers, objects, environment, sensors } = parts;
    let opened = open_store(objects, workers.journal_threads(), settings, registered.fleet);
    let store = tokio::select! {
        opened = opened => opened?,
        () = registrar.host.shutdown.cancelled() => return Ok(()),
    };
    let vitals = registrar.front.vitals.clone();
    let watching = vitals.clone().watch(workers.clone(), store.clone());
    let shares = Shares {
        engine,
        store,
        workers: workers.clone(),
        cache,
        reports: Reports::default(),
        lease: registrar.lease.clone(),
        vitals: vitals.clone(),
        environment: environment.clone(),
        clock: registrar.host.clock,
    };
    let residents = Residents::new(World::new(shares, settings));
    registrar.front.open(residents.clone());
    // However this ends, no database's task outlives it.
    let _owners = residents.end_with();
    residents.world().chore(watching);
    let front = &registrar.front;
    let own = Own {
        vitals,
        lease: registrar.lease.clone(),
        residents: residents.clone(),
        sessions: Arc::clone(&front.sessions),
        sessions_max: front.sessions_max,
    };
    let (roster, admission) = (front.roster.clone(), front.admission.clone());
    let (herald, watched) = (front.herald.clone(), environment.clone());
    let protection =
        Protection { environment: watched, residents: residents.clone(), roster, herald, admission };
    residents.world().chore(protection.act());
    let (controllers, life) = (registrar.controllers.clone(), registrar.life.clone());
    let telling = Telling::default();
    environment.tell(Arc::new(telling.clone()));
    residents.world().chore(telling.tell(controllers.clone(), life.clone()));
    residents.world().chore(environment.watch(sensors, own, workers.clone()));
    let processor = Processor::new(settings.cpu_cores);
    let name = settings.name.clone();
    let teller = Teller { name, controllers, life, residents: residents.clone(), processor, workers };
    residents.world().chore(teller.tell());
    let lived = registrar.live(registered, &residents).await;
    // New connections are still taken and told where not to go, until everything is away.
    registrar.leave(&residents).await;
    lived
}

/// A store that only fails for the moment is tried again, as it would be by servers that run already.
async fn open_store(
    objects: Option<Arc<dyn journal::Objects>>,
    threads: journal::Threads,
    settings: &Settings,
    fleet: model::FleetId,
) -> Result<journal::Store, Error> {
    let process = Incarnation(rand::random());
    if let Some(objects) = objects {
        return Ok(journal::Store::with(objects, fleet, process, journal::Patience::default(), threads));
    }
    let until = Instant::now() + STORE_PATIENCE;
    loop {
        match journal::Store::at(&settings.journal, fleet, process).await {
            Err(error) if error.may_pass() && Instant::now() < until => {
                tracing::warn!(reason = crate::chain(&error), "the journals' store is not usable yet");
                sleep(STORE_PAUSE).await;
            }
            opened => return Ok(opened?),
        }
    }
}

impl Front {
    fn new(parts: &Parts, logins: Logins, sessions_max: usize, clock: fn() -> model::TimestampMs) -> Self {
        let (workers, environment) = (parts.workers.clone(), parts.environment.clone());
        let roster = Roster::default();
        let herald = Herald::new(roster.clone(), clock);
        environment.tell(Arc::new(herald.clone()));
        Self {
            residents: OnceLock::new(),
            workers,
            logins,
            cancels: Cancels::default(),
            directory: Directory::default(),
            sessions_max,
            sessions: Arc::default(),
            roster,
            herald,
            admission: Admission::default(),
            environment,
            requests: Arc::default(),
            vitals: Vitals::default(),
        }
    }

    fn open(&self, residents: Residents) {
        assert!(self.residents.set(residents).is_ok(), "BUG: a server opens once");
    }
}

async fn accept_data(front: Arc<Front>, mut listener: impl Listen, closing: CancellationToken) {
    let strangers = Arc::new(Semaphore::new(UNAUTHENTICATED_MAX));
    let mut sessions = JoinSet::new();
    loop {
        let permit =
            Arc::clone(&strangers).acquire_owned().await.expect("BUG: the semaphore is never closed");
        let Some((stream, peer)) = next(&mut listener, &closing).await else { break };
        sessions.spawn(session::serve(Arc::clone(&front), stream, peer, permit));
        while let Some(ended) = sessions.try_join_next() {
            log_panic(ended);
        }
    }
    sessions.shutdown().await;
}

async fn accept_control(
    service: Control,
    mut listener: impl Listen,
    secret: Secret,
    closing: CancellationToken,
) {
    let mut calls = JoinSet::new();
    while let Some((stream, peer)) = next(&mut listener, &closing).await {
        calls.spawn(control::serve(service.clone(), stream, peer, secret.clone()));
        while let Some(ended) = calls.try_join_next() {
            log_panic(ended);
        }
    }
    calls.shutdown().await;
}

/// The next connection; nothing when the process ends.
async fn next(
    listener: &mut impl Listen,
    closing: &CancellationToken,
) -> Option<(Box<dyn rpc::ByteStream>, String)> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = closing.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => return Some(accepted),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection now");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}

/// Sessions and open databases need file handles: takes as many as the system lets us have.
fn raise_file_limit(sessions: usize) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let wanted = sessions as u64 * FILES_PER_SESSION;
    if limit.maximum.is_some_and(|files| files < wanted) {
        let files = limit.maximum;
        tracing::info!(files, wanted, "the system allows fewer open files than {sessions} sessions may need");
    }
}
