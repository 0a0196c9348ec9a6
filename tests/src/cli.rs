//! The command line, as an operator uses it.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
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

    /// Runs it to its end with something to read.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let mut command = Command::new(binary());
        without_our_environment(&mut command).args(arguments);
        if !self.controllers.is_empty() {
            command.env("STATIONMASTER_CONTROLLERS", self.controllers.join(","));
        }
        if let Some(file) = &self.secret_file {
            command.env("STATIONMASTER_SECRET_FILE", file);
        }
        let said = format!("stationmaster {}", arguments.join(" "));
        Ran::of(&mut command, said, stdin)
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
