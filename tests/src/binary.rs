//! Where the program under test is.

use std::{path::PathBuf, process::Command, sync::OnceLock};

/// The `stationmaster` program: `STATIONMASTER_BIN`, or the one of this workspace, built as the tests are.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("STATIONMASTER_BIN") {
        Some(path) => path.into(),
        None => build(),
    })
}

/// `cargo test` builds the programs of the package it tests, not those of others.
fn build() -> PathBuf {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "--package", "stationmaster", "--bin", "stationmaster"]);
    if cfg!(feature = "cloud") {
        build.args(["--features", "cloud"]);
    }
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
    assert!(status.success(), "the stationmaster program cannot be built");
    // A test runs in target/<profile>/deps, a measurement in target/<profile>/examples.
    let mut path = std::env::current_exe().expect("a path of our own");
    path.pop();
    if path.ends_with("deps") || path.ends_with("examples") {
        path.pop();
    }
    path.join("stationmaster")
}
