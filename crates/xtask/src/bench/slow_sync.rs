//! Measurements on a slower disk than this machine's: all processes of both sides wait longer in each sync.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, ensure};

/// What the processes load before all other libraries.
const SOURCE: &str = include_str!("slow_sync.c");

/// Makes each sync of this process's children take so many microseconds longer.
///
/// # Errors
/// When there is no C compiler.
pub fn prepare(command: &mut Command, microseconds: u64) -> anyhow::Result<()> {
    if microseconds > 0 {
        command.env("LD_PRELOAD", build()?).env("SLOW_SYNC_US", microseconds.to_string());
    }
    Ok(())
}

fn build() -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/slow-sync");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let folder = folder.canonicalize()?;
    let (source, library) = (folder.join("slow_sync.c"), folder.join("libslow_sync.so"));
    fs::write(&source, SOURCE)?;
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let status =
        Command::new(compiler).args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status();
    let status = status.context("a slower disk needs a C compiler: cc, or what $CC says")?;
    ensure!(status.success(), "the C compiler ended with {status}");
    Ok(library)
}
