//! The command line, as an operator uses it.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::Value;

use crate::{binary, process::without_our_environment};

/// `stationmaster`, pointed at a cluster.
#[derive(Clone, Debug, Default)]
pub struct Cli {
    /// Controllers to ask, `host:port`.
    pub controllers: Vec<String>,
    /// The fleet's secret.
    pub secret_file: Option<PathBuf>,
    /// Further environment variables.
    pub variables: Vec<(String, String)>,
}

/// A command that goes on. Killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

/// A command that has ended.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it was called.
    pub command: String,
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
}

impl Cli {
    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "")
    }

    /// Starts it, and collects what it prints until it is dropped.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = piped.spawn().unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let collected = lines.clone();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                collected.lock().expect("nobody panics").push(line);
            }
        });
        Running { child, lines }
    }

    /// Runs it to its end with something to read.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let said = format!("stationmaster {}", arguments.join(" "));
        Ran::of(&mut self.command(arguments), said, stdin)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        without_our_environment(&mut command).envs(variables).args(arguments);
        if !self.controllers.is_empty() {
            command.env("STATIONMASTER_CONTROLLERS", self.controllers.join(","));
        }
        if let Some(file) = &self.secret_file {
            command.env("STATIONMASTER_SECRET_FILE", file);
        }
        command
    }
}

impl Running {
    /// The lines that it has printed up to now.
    ///
    /// # Panics
    /// Never: nobody panics while holding the lock.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("nobody panics").clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Ran {
    /// Runs any command to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn of(command: &mut Command, said: String, stdin: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{said}: {error}"));
        let mut input = child.stdin.take().expect("it is piped");
        let stdin = stdin.to_owned();
        // It need not read everything, or anything; and it may print before it has read all.
        let writer = std::thread::spawn(move || drop(input.write_all(stdin.as_bytes())));
        let output = child.wait_with_output().unwrap_or_else(|error| panic!("{said}: {error}"));
        writer.join().expect("writing does not panic");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            command: said,
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// What it printed, when it succeeded.
    ///
    /// # Panics
    /// When it failed.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!(self.code, Some(0), "{}\n{}{}", self.command, self.stdout, self.stderr);
        &self.stdout
    }

    /// What it complained, when it failed with this code.
    ///
    /// # Panics
    /// When it ended otherwise.
    #[track_caller]
    pub fn fails(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{}\n{}{}", self.command, self.stdout, self.stderr);
        &self.stderr
    }

    /// What it printed, read as JSON, when it succeeded.
    ///
    /// # Panics
    /// When it failed or printed no JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let text = self.ok();
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", self.command))
    }
}
