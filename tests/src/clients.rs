//! Client programs that others wrote. A missing one fails the test, with what to install: a client that was not run has
//! not been shown to work.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{PASSWORD, USER, process::without_our_environment};

/// How a client finds its database, as libpq's environment.
#[derive(Clone, Debug)]
pub struct PgEnv {
    /// The handler.
    pub address: SocketAddr,
    /// The database, by name or id.
    pub database: String,
}

impl PgEnv {
    /// Sets it on a command.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        without_our_environment(command)
            .env("PGHOST", self.address.ip().to_string())
            .env("PGPORT", self.address.port().to_string())
            .env("PGUSER", USER)
            .env("PGPASSWORD", PASSWORD)
            .env("PGDATABASE", &self.database)
            .env("PGCONNECT_TIMEOUT", "30")
            .env("LC_ALL", "C.UTF-8")
    }
}

/// A program on the path.
///
/// # Panics
/// When it is not there, with the Debian package that has it.
pub fn program(name: &str) -> Command {
    let package = match name {
        "psql" => "postgresql-client",
        "pgbench" => "postgresql",
        "java" => "default-jdk-headless",
        "node" => "nodejs",
        "openssl" => "openssl",
        _ => "the one that has it",
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file());
    match found {
        Some(path) => Command::new(path),
        None => panic!("{name} is not installed, and this test needs it: apt-get install {package}"),
    }
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// The interpreter that has the drivers: `STATIONMASTER_PYTHON`, the one that `.ci/run` prepares, or the system's.
fn interpreter() -> PathBuf {
    let prepared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    let named = std::env::var_os("STATIONMASTER_PYTHON").map(PathBuf::from);
    named.or_else(|| prepared.exists().then_some(prepared)).unwrap_or_else(|| "/usr/bin/python3".into())
}

/// A Python program of `tests/clients/`.
///
/// # Panics
/// When the interpreter or a module is missing, with what to install.
pub fn python(script: &str, modules: &[&str]) -> Command {
    let mut command = python_with(modules);
    command.arg(clients().join(script));
    command
}

/// Python in the folder of its driver, with these arguments.
///
/// # Panics
/// When the interpreter or psycopg is missing, with what to install.
pub fn python_driver(arguments: &[&str]) -> Command {
    let mut command = python_with(&["psycopg", "cryptography"]);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../drivers/python")).args(arguments);
    command
}

fn python_with(modules: &[&str]) -> Command {
    let interpreter = interpreter();
    assert!(
        python_has(modules),
        "{} cannot import {}, and this test needs it: run .ci/run once, or apt-get install python3-{}, or set \
         STATIONMASTER_PYTHON",
        interpreter.display(),
        modules.join(", "),
        modules.join(" python3-"),
    );
    let mut command = Command::new(interpreter);
    // Leave no compiled files in the repository.
    command.arg("-B");
    command
}

/// Whether the interpreter can import these.
pub fn python_has(modules: &[&str]) -> bool {
    let probe = format!("import {}", modules.join(", "));
    let probed = Command::new(interpreter()).args(["-c", &probe]).output();
    probed.is_ok_and(|output| output.status.success())
}

/// The class path with PostgreSQL's JDBC driver.
///
/// # Panics
/// When it is missing, with the Debian package that has it.
pub fn java_class_path() -> PathBuf {
    let named = std::env::var_os("STATIONMASTER_PGJDBC").map(PathBuf::from);
    let path = named.unwrap_or_else(|| "/usr/share/java/postgresql.jar".into());
    assert!(
        path.is_file(),
        "{} is missing, and this test needs it: apt-get install libpostgresql-jdbc-java (or set STATIONMASTER_PGJDBC)",
        path.display()
    );
    path
}

/// A program of `tests/clients/` for Node.js with node-postgres; `None` where that is not there, as it is in no test's list of
/// things to install: its Debian package goes with one release of Node.js alone.
pub fn node(script: &str) -> Option<Command> {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/node/usr/share/nodejs");
    let mut command = program("node");
    command.env("NODE_PATH", unpacked);
    let mut probe = Command::new(command.get_program());
    probe
        .envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .args(["-e", "require('pg')"]);
    command.arg(clients().join(script));
    probe.output().is_ok_and(|output| output.status.success()).then_some(command)
}

/// A Java program of `tests/clients/`, compiled as it starts.
pub fn java(source: &str) -> Command {
    let mut command = program("java");
    // Small heap, no compilation in the background: many of these programs are shorter than that takes.
    command
        .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(java_class_path())
        .arg(clients().join(source));
    command
}
