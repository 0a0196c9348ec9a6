//! Makes sure that no process outlives the tests, however they end.
//!
//! All our processes are in one process group. A shell, outside of it, waits for the end of a pipe that only this test
//! process holds open; when it comes, by exit, crash or kill -9, it kills the group and removes the files.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// Waits for the end of its input, kills the group, removes the directory.
const SCRIPT: &str = r#"cat >/dev/null; kill -KILL "-$1"; rm -rf "$2""#;

/// The one of this test process.
pub struct Reaper {
    _shell: Child,
    /// A process group exists as long as somebody is in it.
    placeholder: Child,
    directory: PathBuf,
}

impl Reaper {
    /// Starts it at the first call.
    pub fn get() -> &'static Self {
        static REAPER: OnceLock<Reaper> = OnceLock::new();
        REAPER.get_or_init(Self::start)
    }

    /// The process group to start processes in.
    pub fn group(&self) -> i32 {
        i32::try_from(self.placeholder.id()).expect("a process id")
    }

    /// Where files are kept that go when the tests end.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("stationmaster-").tempdir().expect("a directory");
        // From now on it is the shell that removes it.
        let directory = directory.keep();
        let placeholder = Command::new("sleep")
            .arg("2147483647")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sleep starts");
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "reaper", &placeholder.id().to_string()])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // An interrupt at the terminal is for the tests; the shell must live to clean up.
            .process_group(0)
            .spawn()
            .expect("a shell starts");
        Self { _shell: shell, placeholder, directory }
    }
}
