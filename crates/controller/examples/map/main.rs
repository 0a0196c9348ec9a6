//! `cargo xtask bench map`: a map of a million databases, on its own and in three controllers that work.
//!
//! The controllers are processes of their own on loopback, with real disks and `fdatasync`. They begin with a map that
//! is put into their data directories; a thousand servers stay in touch with the leader all the while.

mod figures;
mod fleet;
mod load;
mod maps;
mod process;
mod servers;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use tikv_jemallocator::Jemalloc;

/// The product's.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["figures", databases] => figures::print(databases.parse()?)?,
        ["seed", databases, ref dirs @ ..] => fleet::seed(databases.parse()?, dirs)?,
        ["controller", id, dir] => process::controller(id.parse()?, PathBuf::from(dir))?,
        [databases, changes] => measure(databases.parse()?, changes.parse()?)?,
        _ => anyhow::bail!("usage: map DATABASES CHANGES"),
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(databases: u64, changes: u64) -> anyhow::Result<()> {
    // In a process of its own, so that its memory is given back.
    process::of_ours(&["figures", &databases.to_string()])?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(fleet::measure(databases, changes)).context("the controllers could not be measured")
}
