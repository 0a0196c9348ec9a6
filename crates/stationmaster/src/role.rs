//! The composition root: gives a role its settings, its listeners, the network, the clock and the end.

use std::{
    fs::Permissions,
    io,
    net::SocketAddr,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, anyhow, bail};
use handler::Tls;
use model::{Name, TimestampMs};
use rpc::{Either, Host, Readiness, TcpDial};
use server::Environment;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    config::{Config, Controller, Handler, LogFormat, Server, Settings},
    failure,
    http::{
        self,
        monitors::{Monitors, Token},
    },
    logging,
    metrics::Metrics,
    secret,
    signals::Signals,
};

/// How long a role may take to end once it was told to; then the process ends without it.
const END_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the sessions of a console beside a role may take to end after it.
const CONSOLE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long system calls that are still running may take after that.
const THREADS_TIMEOUT: Duration = Duration::from_secs(2);

/// Plays a role until it ends by itself, or by a signal.
pub fn run(config: Config, end_with_stdin: bool) -> anyhow::Result<ExitCode> {
    let format = config.process.log.format;
    logging::start(&config.process.log);
    let (files_before, files) = raise_file_limit();
    let role = config.settings.role();
    info!(
        role = role.name(),
        version = env!("CARGO_PKG_VERSION"),
        pid = std::process::id(),
        files_before,
        files,
        "starting"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let played = runtime.block_on(play(config, end_with_stdin));
    runtime.shutdown_timeout(THREADS_TIMEOUT);
    match played {
        Ok(()) => {
            info!("ended");
            Ok(ExitCode::SUCCESS)
        }
        // Whoever reads JSON reads nothing else; people get the same as from every other command.
        Err(error) if format == LogFormat::Json => {
            error!(error = failure::causes(&error), "failed");
            Ok(failure::code(&error))
        }
        Err(error) => Err(error),
    }
}

/// Checks the files that settings name and that are configuration themselves.
pub fn check(settings: &Settings) -> anyhow::Result<()> {
    match settings {
        Settings::Server(Server { rules_file: Some(file), .. }) => drop(Environment::of_file(file.clone())?),
        Settings::Handler(Handler { tls: Some(files), .. }) => drop(Tls::of_files(files)?),
        Settings::Server(_) | Settings::Handler(_) | Settings::Controller(_) => {}
    }
    Ok(())
}

async fn play(config: Config, end_with_stdin: bool) -> anyhow::Result<()> {
    let Config { process, settings, .. } = config;
    let signals = Signals::listen()?;
    let shutdown = CancellationToken::new();
    if end_with_stdin {
        end_with_stdin_of(shutdown.clone());
    }
    let secret = secret::read(&process.secret_file)?;
    let metrics = Metrics::start(settings.role().name());
    let (ready, watched) = watch::channel(Readiness::NotReady("starting".into()));
    let admin = listen(process.admin_listen, "admin_listen").await?;
    tokio::spawn(metrics.clone().keep_up());
    tokio::spawn(tell_readiness(watched.clone()));
    let watch = Watch::of(&settings)?;
    let monitors = watch.monitors;
    tokio::spawn(http::serve(admin, http::Admin { metrics, ready: watched, monitors }));
    let host = Host { dial: Arc::new(TcpDial), secret, clock: now, shutdown: shutdown.clone(), ready };
    tokio::select! {
        played = act(settings, watch.environment, host) => played,
        told = overdue(signals, shutdown) => Err(told),
    }
}

async fn act(settings: Settings, environment: Environment, host: Host) -> anyhow::Result<()> {
    match settings {
        Settings::Controller(controller) => {
            let Controller { listen: at, console_listen, settings } = *controller;
            let listener = listen(at, "listen").await?;
            let name = Name::new(&format!("controller-{}", settings.id))?;
            let console = Console::open(console_listen, name, vec![settings.address.clone()], &host).await?;
            let ran = controller::run(settings, host, listener).await;
            console.ended().await;
            Ok(ran?)
        }
        Settings::Handler(Handler { listen: at, unix_socket_directory, tls, settings }) => {
            let tls = tls.map(|files| Tls::of_files(&files)).transpose()?;
            let settings = handler::Settings { tls, ..settings };
            let listener = listen(at, "listen").await?;
            let socket =
                unix_socket_directory.map(|directory| Socket::open(&directory, at.port())).transpose()?;
            let (path, socket) = socket.map(|Socket(path, listener)| (path, listener)).unzip();
            let ran = handler::run(settings, host, Either(listener, socket)).await;
            if let Some(Err(error)) = path.map(std::fs::remove_file) {
                warn!(%error, "the socket's file stays; the next start takes it away");
            }
            Ok(ran?)
        }
        Settings::Server(Server { data_listen, control_listen, console_listen, settings, .. }) => {
            let data = listen(data_listen, "data_listen").await?;
            let control = listen(control_listen, "control_listen").await?;
            let (name, controllers) = (settings.name.clone(), settings.controllers.clone());
            let console = Console::open(console_listen, name, controllers, &host).await?;
            let ran = server::run(settings, environment, host, data, control).await;
            console.ended().await;
            Ok(ran?)
        }
    }
}

/// A socket in the file system, named as PostgreSQL names it (R57), and its file.
struct Socket(PathBuf, UnixListener);

impl Socket {
    /// Takes away what a process left behind that is no more. Everybody on the machine may connect, and has to log in.
    fn open(directory: &Path, port: u16) -> anyhow::Result<Self> {
        let path = directory.join(format!(".s.PGSQL.{port}"));
        let named = || format!("cannot listen on {} (`unix_socket_directory`)", path.display());
        match std::os::unix::net::UnixStream::connect(&path) {
            Ok(_) => bail!("{}: another process does", named()),
            // What is no socket refuses, too, and is not ours to take away.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && is_socket(&path) => {
                std::fs::remove_file(&path).with_context(named)?;
            }
            // Nothing is there, or binding says what is wrong.
            Err(_) => {}
        }
        let listener = UnixListener::bind(&path).with_context(named)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o777)).with_context(named)?;
        Ok(Self(path, listener))
    }
}

fn is_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// The console beside a server or a controller, if it has one (R93).
struct Console(Option<(JoinHandle<()>, CancellationToken)>);

impl Console {
    /// Begins to serve it. `name` is what events call this process.
    async fn open(
        at: Option<SocketAddr>,
        name: Name,
        controllers: Vec<String>,
        host: &Host,
    ) -> anyhow::Result<Self> {
        let Some(at) = at else { return Ok(Self(None)) };
        let listener = listen(at, "console_listen").await?;
        let settings = handler::Settings::new(name, at.to_string(), controllers);
        let end = host.shutdown.child_token();
        let host = Host { shutdown: end.clone(), ..host.clone() };
        Ok(Self(Some((tokio::spawn(handler::console::run(settings, host, listener)), end))))
    }

    /// Ends it, and waits for its sessions to end.
    async fn ended(self) {
        let Self(Some((console, end))) = self else { return };
        end.cancel();
        match timeout(CONSOLE_TIMEOUT, console).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!(%error, "the console broke"),
            Err(error) => warn!(%error, "the console's sessions go on"),
        }
    }
}

/// What a server watches by, and who may tell it something.
struct Watch {
    environment: Environment,
    monitors: Option<Monitors>,
}

impl Watch {
    /// Reads the files that a server's settings name.
    fn of(settings: &Settings) -> anyhow::Result<Self> {
        let Settings::Server(Server { rules_file, monitor_token_file, .. }) = settings else {
            return Ok(Self { environment: Environment::default(), monitors: None });
        };
        let environment = match rules_file {
            Some(file) => Environment::of_file(file.clone())?,
            None => Environment::default(),
        };
        let token = monitor_token_file.as_deref().map(Token::read).transpose()?;
        let monitors = Some(Monitors::new(environment.clone(), token));
        Ok(Self { environment, monitors })
    }
}

/// Logs when the role becomes ready, and when it no longer is; not every reason in between.
async fn tell_readiness(mut ready: watch::Receiver<Readiness>) {
    let mut was = None;
    while ready.changed().await.is_ok() {
        let now = ready.borrow_and_update().clone();
        let is = now == Readiness::Ready;
        if was.replace(is) == Some(is) {
            continue;
        }
        match now {
            Readiness::Ready => info!("ready"),
            Readiness::NotReady(reason) => info!(reason, "not ready"),
        }
    }
}

/// Tells the role to end at the first signal, and gives up on it at the second or when it takes too long.
async fn overdue(mut signals: Signals, shutdown: CancellationToken) -> anyhow::Error {
    tokio::select! {
        () = signals.next() => info!("told to end"),
        () = shutdown.cancelled() => info!("ending with the process that started this one"),
    }
    shutdown.cancel();
    tokio::select! {
        () = signals.next() => anyhow!("ended by a second signal, before everything was finished"),
        () = sleep(END_TIMEOUT) => anyhow!("did not end within {END_TIMEOUT:?} of being told to"),
    }
}

/// Ends with whoever holds the other end of standard input, however that one ends.
fn end_with_stdin_of(shutdown: CancellationToken) {
    std::thread::spawn(move || {
        // What arrives means nothing, and an error means what the end means.
        if let Err(error) = io::copy(&mut io::stdin().lock(), &mut io::sink()) {
            warn!(%error, "standard input broke");
        }
        shutdown.cancel();
    });
}

async fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    let error = match TcpListener::bind(address).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => bail!(
            "cannot listen on {address}: another process does\n  \
             try: stop that one (`ss -ltnp` shows it), or change `{setting}`"
        ),
        io::ErrorKind::AddrNotAvailable => bail!(
            "cannot listen on {address}: no interface of this machine has that address\n  try: another `{setting}`"
        ),
        io::ErrorKind::PermissionDenied => bail!(
            "cannot listen on {address}: ports below 1024 are for privileged processes\n  try: another `{setting}`"
        ),
        _ => Err(error).with_context(|| format!("cannot listen on {address} (`{setting}`)")),
    }
}

/// The wall clock.
pub fn now() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// As many open files as the system allows: each client session is one. Gives the limit before and after.
fn raise_file_limit() -> (Option<u64>, Option<u64>) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => (limit.current, limit.maximum),
        Err(_) => (limit.current, limit.current),
    }
}
