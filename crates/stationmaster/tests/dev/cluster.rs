//! A cluster of `stationmaster dev`, driven from outside.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// How long anything may take. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process of the cluster, as the table shows it.
#[derive(Clone, Debug)]
pub struct Process {
    pub name: String,
    pub pid: u32,
    pub address: String,
}

/// A running cluster.
pub struct Cluster {
    parent: Child,
    lines: Receiver<String>,
    heard: Vec<String>,
    dir: Option<TempDir>,
    password: String,
}

/// Waits until something holds.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn stationmaster() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stationmaster"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STATIONMASTER_")) {
        command.env_remove(name);
    }
    command
}

/// Runs a command without a cluster.
pub fn cli(arguments: &[&str]) -> (Option<i32>, String) {
    said(stationmaster().args(arguments))
}

/// How a command ended, and what it said on both streams.
fn said(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text + &String::from_utf8_lossy(&output.stderr))
}

/// An offset for the ports of one more cluster: none of this process overlap, and all stay below the ports that the
/// system gives to whoever asks for any.
fn offset() -> u32 {
    static CLUSTERS: AtomicU32 = AtomicU32::new(0);
    let cluster = CLUSTERS.fetch_add(1, Ordering::Relaxed);
    (std::process::id() + cluster / 7 * 101) % 3000 + cluster % 7 * 3000
}

impl Cluster {
    /// A new one, on ports that are free.
    pub fn start(flags: &[&str]) -> Self {
        for _ in 0..50 {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let port = offset().to_string();
            let flags: Vec<&str> = flags.iter().copied().chain(["--port-offset", &port]).collect();
            match Self::try_start(dir, &flags) {
                Ok(cluster) => return cluster,
                // Somebody else may come between looking at a port and taking it.
                Err(said) => {
                    assert!(
                        said.contains("nothing was started") || said.contains("another process"),
                        "{said}"
                    );
                }
            }
        }
        panic!("no free ports");
    }

    /// The one that is kept in this folder.
    pub fn start_in(dir: TempDir, flags: &[&str]) -> Self {
        Self::try_start(dir, flags).expect("its ports are free")
    }

    fn try_start(dir: TempDir, flags: &[&str]) -> Result<Self, String> {
        let mut parent = stationmaster()
            .arg("dev")
            .arg("--dir")
            .arg(dir.path())
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (sender, lines) = channel();
        let pipes: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(parent.stdout.take().expect("piped")), Box::new(parent.stderr.take().expect("piped"))];
        for pipe in pipes {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut cluster = Self { parent, lines, heard: Vec::new(), dir: Some(dir), password: String::new() };
        if !cluster.hear("Ctrl-C stops everything.") {
            cluster.parent.wait().expect("it has ended");
            return Err(cluster.heard.join("\n"));
        }
        let export = cluster.heard.iter().find_map(|line| line.trim().strip_prefix("export PGPASSWORD="));
        cluster.password = export.expect("the password is printed").to_owned();
        Ok(cluster)
    }

    /// Waits for a line that contains this.
    pub fn said(&mut self, part: &str) {
        assert!(self.hear(part), "it never said {part:?}, but:\n{}", self.heard.join("\n"));
    }

    /// Whether it has said this so far.
    pub fn heard(&self, part: &str) -> bool {
        self.heard.iter().any(|line| line.contains(part))
    }

    fn hear(&mut self, part: &str) -> bool {
        let end = Instant::now() + PATIENCE;
        if self.heard.iter().any(|line| line.contains(part)) {
            return true;
        }
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.heard.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
            }
            if self.heard.last().is_some_and(|line| line.contains(part)) {
                return true;
            }
        }
    }

    /// The rows of the table.
    pub fn processes(&self) -> Vec<Process> {
        let rows = self.heard.iter().skip_while(|line| !line.starts_with("ROLE")).skip(1);
        rows.take_while(|line| !line.is_empty())
            .map(|line| {
                let cells: Vec<&str> = line.split_whitespace().collect();
                let [_, name, pid, address, _] = cells[..] else { panic!("an odd row: {line}") };
                Process {
                    name: name.into(),
                    pid: pid.parse().expect("a process id"),
                    address: address.into(),
                }
            })
            .collect()
    }

    /// The process ids of all children as they were at the start.
    pub fn pids(&self) -> Vec<u32> {
        self.processes().iter().map(|process| process.pid).collect()
    }

    /// A child's process id now.
    pub fn pid(&self, name: &str) -> u32 {
        let again = format!("{name} runs again, as ");
        let latest = self.heard.iter().rev().find_map(|line| line.strip_prefix(&again));
        match latest.and_then(|rest| rest.split(' ').next()) {
            Some(pid) => pid.parse().expect("a process id"),
            None => self.processes().iter().find(|process| process.name == name).expect("in the table").pid,
        }
    }

    /// Kills a child with -9.
    pub fn kill(&self, name: &str) {
        signal("KILL", self.pid(name));
    }

    /// Freezes a child: it lives, and does nothing.
    pub fn freeze(&self, name: &str) {
        signal("STOP", self.pid(name));
    }

    /// Does what Ctrl-C does.
    pub fn interrupt(&self) {
        signal("INT", self.parent.id());
    }

    /// Runs an operator's command against it.
    pub fn cli(&self, arguments: &[&str]) -> (Option<i32>, String) {
        said(stationmaster().args(arguments).env("STATIONMASTER_DIR", self.dir()))
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.dir.as_ref().expect("it runs").path()
    }

    /// Runs SQL through a handler; gives the first column.
    pub fn query(
        &self,
        handler: usize,
        database: &str,
        sql: &str,
    ) -> Result<Vec<String>, tokio_postgres::Error> {
        let handlers: Vec<Process> =
            self.processes().into_iter().filter(|process| process.name.starts_with("handler")).collect();
        let (host, port) = handlers[handler].address.rsplit_once(':').expect("host and port");
        let mut config = tokio_postgres::Config::new();
        config
            .host(host)
            .port(port.parse().expect("a port"))
            .user("dev")
            .password(&self.password)
            .dbname(database);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
            tokio::spawn(connection);
            let messages = client.simple_query(sql).await?;
            Ok(messages
                .iter()
                .filter_map(|message| match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                    _ => None,
                })
                .collect())
        })
    }

    /// Starts another cluster on the same ports in another folder; it must fail.
    pub fn start_another(&self, flags: &[&str]) -> (Option<i32>, String) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let first = self.processes()[0].address.clone();
        let port: u16 = first.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
        let offset = (port - 7101).to_string();
        self.failed_start(dir.path(), &[flags, &["--port-offset", &offset]].concat())
    }

    /// Starts another cluster in the same folder; it must fail.
    pub fn start_here_again(&self) -> (Option<i32>, String) {
        self.failed_start(self.dir.as_ref().expect("it runs").path(), &[])
    }

    fn failed_start(&self, dir: &std::path::Path, flags: &[&str]) -> (Option<i32>, String) {
        let output =
            stationmaster().arg("dev").arg("--dir").arg(dir).args(flags).output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Stops it as Ctrl-C does; gives its folder.
    pub fn stop(mut self) -> TempDir {
        self.interrupt();
        let status = self.parent.wait().expect("it ends");
        assert!(self.hear("stopped; the data stays"), "{}", self.heard.join("\n"));
        assert!(status.success(), "{status}");
        self.dir.take().expect("it ran")
    }

    /// Kills the parent with -9.
    pub fn kill_parent(&mut self) {
        signal("KILL", self.parent.id());
        self.parent.wait().expect("it ends");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Its children follow it. It may have ended already, and then there is nothing to kill.
        if let Ok(None) = self.parent.try_wait() {
            signal("KILL", self.parent.id());
            // Only so that nothing is left of it: how it ended is known.
            let _ = self.parent.wait();
        }
        if std::thread::panicking() {
            eprintln!("the cluster said:\n{}", self.heard.join("\n"));
            if let Some(dir) = self.dir.take() {
                eprintln!("its folder is kept: {}", dir.keep().display());
            }
        }
    }
}

fn signal(name: &str, pid: u32) {
    let status =
        Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().expect("kill is there");
    assert!(status.success(), "kill -{name} {pid}: {status}");
}
