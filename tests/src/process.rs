//! One process: started, killed, stopped, restarted.

use std::{
    fs::{self, OpenOptions},
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Tail, admin, binary, reaper::Reaper, until};

/// A `stationmaster` process with a configuration file. It keeps its name, files and ports when it is restarted.
pub struct Process {
    name: String,
    role: &'static str,
    config: PathBuf,
    admin: SocketAddr,
    log: PathBuf,
    environment: Vec<(String, PathBuf)>,
    within: Vec<String>,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// A process that is not started yet.
    pub fn new(name: &str, role: &'static str, config: &Path, admin: SocketAddr) -> Self {
        let log = config.with_extension("log");
        let (environment, within, child) = (Vec::new(), Vec::new(), Mutex::new(None));
        Self { name: name.into(), role, config: config.into(), admin, log, environment, within, child }
    }

    /// The same with an environment variable.
    pub fn with_variable(mut self, name: &str, value: PathBuf) -> Self {
        self.environment.push((name.into(), value));
        self
    }

    /// The same, started by this command, to which the program and its arguments are added. It must become the program
    /// (exec), as `ip netns exec NAME` does.
    pub fn within(mut self, command: &[String]) -> Self {
        self.within = command.to_vec();
        self
    }

    /// What it is called in the cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Where it serves `/metrics`.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Its log.
    pub fn log(&self) -> Tail {
        Tail::new(&self.log)
    }

    /// Starts it, also when it has ended by itself.
    ///
    /// # Panics
    /// When it runs already or cannot be started.
    pub fn start(&self) {
        let ended = self.try_wait().is_some();
        let mut child = self.child();
        assert!(ended || child.is_none(), "{} runs already", self.name);
        let log =
            OpenOptions::new().create(true).append(true).open(&self.log).expect("the log can be written");
        let mut command = match self.within.split_first() {
            None => Command::new(binary()),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(binary());
                command
            }
        };
        let spawned = without_our_environment(&mut command)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .arg(self.role)
            .arg("--config")
            .arg(&self.config)
            .process_group(Reaper::get().group())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", self.name));
        *child = Some(spawned);
    }

    /// kill -9.
    pub fn kill(&self) {
        let taken = self.child().take();
        if let Some(mut child) = taken {
            // It may have died by itself a moment ago.
            drop(child.kill());
            child.wait().expect("it is our child");
        }
    }

    /// Asks it to stop, and waits until it has.
    pub async fn terminate(&self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits until it has ended by itself. It can be started again then.
    pub async fn ended(&self) -> ExitStatus {
        let status = until(&format!("{} ends", self.name), async || self.try_wait().ok_or("it runs")).await;
        self.child().take();
        status
    }

    /// Freezes it: it keeps its sockets and does nothing.
    ///
    /// The signal alone proves nothing on a busy machine: threads go on until one of them has taken note of it.
    ///
    /// # Panics
    /// When it has not come to rest in 30 s.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        let give_up = Instant::now() + Duration::from_secs(30);
        while !at_rest(self.pid()) {
            assert!(Instant::now() < give_up, "{} does not stop", self.name);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pid(&self) -> i32 {
        let child = self.child();
        let child = child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name));
        i32::try_from(child.id()).expect("a process id")
    }

    /// Whether it runs; false as soon as it has ended by itself.
    pub fn is_running(&self) -> bool {
        self.child().is_some() && self.try_wait().is_none()
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a VmRSS line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Waits until it says that it can do its work.
    pub async fn ready(&self) {
        until(&format!("{} is ready", self.name), async || {
            if let Some(status) = self.try_wait() {
                return Err(format!("it ended with {status}:\n{}", self.log().last(&self.name, 20)));
            }
            match admin::get(self.admin, "/readyz").await {
                Ok((200, _)) => Ok(()),
                Ok((status, body)) => Err(format!("{status} {body}{}", self.log().last(&self.name, 20))),
                Err(error) => Err(format!("{error}\n{}", self.log().last(&self.name, 20))),
            }
        })
        .await;
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        // A panic while it was held must not keep the process from being killed.
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_wait(&self) -> Option<ExitStatus> {
        let mut child = self.child();
        child.as_mut().and_then(|child| child.try_wait().expect("it is our child"))
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.pid()).expect("not zero");
        kill_process(pid, signal).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether no thread of a process runs: each is stopped, or at its end.
fn at_rest(process: i32) -> bool {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return true };
    tasks.flatten().all(|task| {
        // One that is gone has no state. The state stands behind the name, which may hold anything.
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state.is_none_or(|state| matches!(state, 'T' | 't' | 'Z' | 'X'))
    })
}

/// Without the settings of whoever runs the tests.
pub fn without_our_environment(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STATIONMASTER_") || name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.env_remove("RUST_LOG")
}

/// How long one look at a process's admin port may take.
pub const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
