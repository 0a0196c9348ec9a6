//! Controllers as processes: this program again, with other arguments.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, ensure};
use controller::Settings;
use model::{ControllerId, TimestampMs};
use rpc::{Host, Readiness, Secret, TcpDial};
use tokio_util::sync::CancellationToken;

/// The members of the fleet. The last one comes late.
pub const CONTROLLERS: u64 = 3;

/// A controller that runs.
pub struct Controller {
    child: Child,
    dir: PathBuf,
}

/// What a process has of memory, in bytes.
pub struct Memory {
    /// Resident now.
    pub now: u64,
    /// The most that it ever was.
    pub most: u64,
}

/// Where a controller listens. All of 127/8 is this machine, so that nobody else's ports are in the way.
pub fn address(id: u64) -> String {
    format!("127.77.100.{id}:7101")
}

/// What all of them know.
pub fn secret() -> Secret {
    Secret::new([7; 32])
}

/// What one is told.
pub fn settings(id: u64, dir: PathBuf) -> Settings {
    let members = (1..=CONTROLLERS).map(|id| (ControllerId(id), address(id))).collect();
    Settings::new(ControllerId(id), address(id), dir, members)
}

/// Is one, until killed.
pub fn controller(id: u64, dir: PathBuf) -> anyhow::Result<()> {
    struct Micros;
    impl tracing_subscriber::fmt::time::FormatTime for Micros {
        fn format_time(&self, line: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
            write!(line, "{}", now().as_micros())
        }
    }
    let logging = tracing_subscriber::fmt().with_env_filter("info,controller::machine=debug");
    logging.with_timer(Micros).with_ansi(false).with_writer(std::io::stderr).init();
    raise_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let host = Host {
            dial: std::sync::Arc::new(TcpDial),
            secret: secret(),
            clock: || TimestampMs(u64::try_from(now().as_millis()).unwrap_or(u64::MAX)),
            shutdown: CancellationToken::new(),
            ready: tokio::sync::watch::Sender::new(Readiness::NotReady("starting".into())),
        };
        let listener = tokio::net::TcpListener::bind(address(id)).await?;
        Ok(controller::run(settings(id, dir), host, listener).await?)
    })
}

impl Controller {
    /// Starts one.
    pub fn start(id: u64, dir: &Path) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(dir.with_extension("log"))?;
        let child = Command::new(std::env::current_exe()?)
            .args(["controller", &id.to_string()])
            .arg(dir)
            .stderr(log)
            .spawn()
            .context("cannot start a controller")?;
        Ok(Self { child, dir: dir.into() })
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// What it has of memory.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        memory(&self.child.id().to_string())
    }

    /// The time that it has worked so far, on all processors.
    pub fn worked(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("an odd stat file")?;
        let ticks = |at: usize| fields.split_whitespace().nth(at).and_then(|ticks| ticks.parse::<u64>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).context("an odd stat file")?;
        Ok(Duration::from_millis((user + system) * 1000 / rustix::param::clock_ticks_per_second()))
    }

    /// When snapshots were made, from when to when, since the UNIX epoch.
    pub fn snapshots(&self) -> anyhow::Result<Vec<(Duration, Duration)>> {
        let log = fs::read_to_string(self.dir.with_extension("log"))?;
        let made = log.lines().filter(|line| line.contains("snapshot made"));
        let span = |line: &str| {
            let end: u64 = line.split_whitespace().next()?.parse().ok()?;
            let took: u64 = line.split_once("took_us=")?.1.split_whitespace().next()?.parse().ok()?;
            Some((Duration::from_micros(end - took), Duration::from_micros(end)))
        };
        made.map(|line| span(line).with_context(|| format!("an odd line: {line}"))).collect()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs this program with these arguments.
pub fn of_ours(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(std::env::current_exe()?).args(arguments).status()?;
    ensure!(status.success(), "{} ended with {status}", arguments[0]);
    Ok(())
}

/// Each server is a connection to the leader and one from it.
pub fn raise_files() -> anyhow::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("cannot raise the open files")
}

/// What a process has of memory, by its number or `self`.
pub fn memory(process: &str) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("this needs Linux's /proc")?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        kibibytes.map(|number| number * 1024).with_context(|| format!("no {name} line"))
    };
    Ok(Memory { now: field("VmRSS:")?, most: field("VmHWM:")? })
}

/// Bytes in all files of a directory.
pub fn size(dir: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        bytes += if path.is_dir() { size(&path)? } else { fs::metadata(&path)?.len() };
    }
    Ok(bytes)
}

/// The wall clock.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
