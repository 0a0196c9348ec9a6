//! PostgreSQL, PgBouncer and the handler for a measurement, ended when dropped.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

/// How long a process may take until it can be connected to.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A way from pgbench to PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Direct,
    PgBouncer,
    Handler,
}

impl Way {
    pub const ALL: [Way; 3] = [Way::Direct, Way::PgBouncer, Way::Handler];

    pub fn name(self) -> &'static str {
        match self {
            Way::Direct => "direct",
            Way::PgBouncer => "pgbouncer",
            Way::Handler => "handler",
        }
    }
}

/// The processes of one measurement.
pub struct Fleet {
    ports: [u16; 3],
    // Dropped in this order.
    handler: Process,
    pgbouncer: Process,
    _postgres: Process,
    _folder: Folder,
}

impl Fleet {
    pub fn start() -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let ports = [free_port()?, free_port()?, free_port()?];
        let [postgres_port, pgbouncer_port, handler_port] = ports;
        let postgres = postgres(&folder.0, postgres_port)?;
        let (mut handler, password) = handler(handler_port, postgres_port)?;
        fill(postgres_port, &password)?;
        let pgbouncer = pgbouncer(&folder.0, pgbouncer_port, postgres_port)?;
        handler.reach(handler_port)?;
        Ok(Self { ports, handler, pgbouncer, _postgres: postgres, _folder: folder })
    }

    pub fn port(&self, way: Way) -> u16 {
        match way {
            Way::Direct => self.ports[0],
            Way::PgBouncer => self.ports[1],
            Way::Handler => self.ports[2],
        }
    }

    /// CPU time that the process between has used so far.
    pub fn cpu(&self, way: Way) -> anyhow::Result<Duration> {
        match way {
            Way::Direct => Ok(Duration::ZERO),
            Way::PgBouncer => self.pgbouncer.cpu(),
            Way::Handler => self.handler.cpu(),
        }
    }
}

fn postgres(folder: &Path, port: u16) -> anyhow::Result<Process> {
    let data = folder.join("data");
    let data_text = data.display().to_string();
    let made = unprivileged("initdb")
        .args(["-D", &data_text, "-A", "trust", "-U", "postgres", "--no-sync"])
        .stdout(Stdio::null())
        .status()
        .context("cannot run initdb")?;
    ensure!(made.success(), "initdb ended with {made}");
    // Like a server of ours, it lets handlers in by SCRAM.
    let access =
        "host all _stationmaster_handler 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n";
    fs::write(data.join("pg_hba.conf"), access)?;
    let port_text = port.to_string();
    let mut postgres = Process::start(
        unprivileged("postgres")
            .args(["-D", &data_text, "-p", &port_text, "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=200"]),
        &folder.join("postgres.log"),
    )?;
    postgres.reach(port)?;
    Ok(postgres)
}

/// Makes the roles and what `pgbench -S` reads.
fn fill(port: u16, password: &str) -> anyhow::Result<()> {
    let port = port.to_string();
    let roles = format!("CREATE ROLE _stationmaster_handler SUPERUSER LOGIN PASSWORD '{password}'");
    let connect = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres"];
    for sql in [roles.as_str(), "CREATE ROLE bench SUPERUSER LOGIN", "CREATE DATABASE \"db-1\""] {
        let mut psql = Command::new("psql");
        let done = patiently(psql.args(connect).args(["-q", "-c", sql]).stderr(Stdio::null()))?;
        ensure!(done, "psql could not run {sql}");
    }
    let filled = Command::new("pgbench").args(["-i", "-q", "-s", "1"]).args(connect).arg("db-1").output()?;
    ensure!(filled.status.success(), "pgbench -i: {}", String::from_utf8_lossy(&filled.stderr));
    Ok(())
}

/// Repeats a command until it succeeds: a server that listens may still be starting.
fn patiently(command: &mut Command) -> anyhow::Result<bool> {
    let give_up = Instant::now() + START_TIMEOUT;
    loop {
        if command.status()?.success() {
            return Ok(true);
        }
        if Instant::now() > give_up {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn pgbouncer(folder: &Path, port: u16, postgres: u16) -> anyhow::Result<Process> {
    let users = folder.join("users.txt");
    fs::write(&users, "\"bench\" \"bench\"\n")?;
    let config = folder.join("pgbouncer.ini");
    let text = format!(
        "[databases]\n* = host=127.0.0.1 port={postgres}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         auth_type = trust\nauth_file = {}\npool_mode = session\nmax_client_conn = 200\ndefault_pool_size = 150\n\
         unix_socket_dir =\nlog_connections = 0\nlog_disconnections = 0\nignore_startup_parameters = extra_float_digits\n",
        users.display()
    );
    fs::write(&config, text)?;
    let mut pgbouncer =
        Process::start(unprivileged("pgbouncer").arg(&config), &folder.join("pgbouncer.log"))?;
    pgbouncer.reach(port)?;
    Ok(pgbouncer)
}

/// The handler, and the password that PostgreSQL must accept from it.
fn handler(port: u16, postgres: u16) -> anyhow::Result<(Process, String)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["run", "--quiet", "--release", "--package", "handler", "--example", "front", "--"])
        .args([format!("127.0.0.1:{port}"), format!("127.0.0.1:{postgres}"), cores.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start the handler")?;
    let stdout = child.stdout.take().context("the handler has no output")?;
    let process = Process { child };
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let password = line.split_whitespace().nth(1).with_context(|| format!("the handler said {line:?}"))?;
    Ok((process, password.to_owned()))
}

/// Servers refuse to run as root.
fn unprivileged(program: &str) -> Command {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let program = find(program);
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

/// Debian keeps PostgreSQL's own programs out of the path.
fn find(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(program))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| program.into())
}

/// A child that ends with its owner.
struct Process {
    child: Child,
}

impl Process {
    fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = fs::File::create(log)?;
        let program = format!("{:?}", command.get_program());
        let child = command.stdout(log.try_clone()?).stderr(log).spawn();
        Ok(Self { child: child.with_context(|| format!("cannot start {program}"))? })
    }

    /// Waits until the port answers.
    fn reach(&mut self, port: u16) -> anyhow::Result<()> {
        let give_up = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status} instead of listening on {port}");
            }
            ensure!(Instant::now() < give_up, "nothing listens on {port} after {START_TIMEOUT:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// CPU time so far, of itself and, where it only started the real one, of its child.
    fn cpu(&self) -> anyhow::Result<Duration> {
        let own = self.child.id();
        let path = format!("/proc/{own}/task/{own}/children");
        let children = fs::read_to_string(path).unwrap_or_default();
        let measured = children.split_whitespace().next().and_then(|child| child.parse().ok()).unwrap_or(own);
        cpu_of(measured)
    }
}

/// User and system time of a process, in ticks of 10 ms.
fn cpu_of(process: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit_once(')').context("no name in stat")?.1;
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

impl Drop for Process {
    fn drop(&mut self) {
        // The handler ends with its input, the others by the signal; whoever is gone already needs neither.
        if self.child.stdin.take().is_none() {
            let _killed = self.child.kill();
        }
        let _ended = self.child.wait();
    }
}

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("stationmaster-relay-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        // Servers run as somebody else.
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
