//! One child process. It ends when this process does, however that ends: it reads the other end of a pipe.

use std::{
    fs::File,
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child as Process, ChildStdin},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::Planned;
use crate::failure::REMOVED;

/// How long a child may take to end by itself before it is killed.
const PATIENCE: Duration = Duration::from_secs(15);

/// A running child.
pub struct Child {
    process: Process,
    /// The child ends when this closes.
    _pipe: Option<ChildStdin>,
    /// Its process id.
    pub pid: u32,
}

impl Child {
    /// Starts it with its own process group, so that Ctrl-C in the terminal reaches only the parent.
    pub fn start(planned: &Planned, config: &Path, log: &Path) -> io::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(myself()?);
        command
            .arg0("stationmaster")
            .args([planned.role.name(), "--end-with-stdin", "--config"])
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        let mut command = tokio::process::Command::from(command);
        let mut process = command.kill_on_drop(true).spawn()?;
        let pid = process.id().ok_or_else(|| io::Error::other("it ended at once"))?;
        // Waiting for the process would close the pipe if it were still in there.
        let pipe = process.stdin.take();
        Ok(Self { process, _pipe: pipe, pid })
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Asks it to end, and kills it when it takes too long or `now` comes.
    pub async fn end(mut self, name: &str, now: &CancellationToken) {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(Err(error)) = pid.map(|pid| kill_process(pid, Signal::TERM)) {
            println!("{name} cannot be asked to end: {error}");
        }
        tokio::select! {
            ended = timeout(PATIENCE, self.process.wait()) => match ended {
                Ok(_) => return,
                Err(_) => println!("{name} did not end within {PATIENCE:?}; killing it"),
            },
            () = now.cancelled() => {}
        }
        if let Err(error) = self.process.kill().await {
            println!("{name} could not be killed: {error}");
        }
    }
}

/// How a process ended, in words.
pub fn how(status: &io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => "ended".into(),
        },
        Err(error) => format!("was lost sight of ({error})"),
    }
}

/// Whether a controller ended because it was removed from its fleet.
pub fn was_removed(status: &io::Result<ExitStatus>) -> bool {
    status.as_ref().is_ok_and(|status| status.code() == Some(REMOVED.into()))
}

/// The program that this process runs, even if its file has been replaced by a newer one meanwhile.
fn myself() -> io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if own.exists() { Ok(own.into()) } else { std::env::current_exe() }
}
