//! `stationmaster journal …`: looks at databases' journals, checks and restores them. No server is needed, and none is
//! disturbed: nothing is written where the journals are.

mod inspect;
mod moment;
mod place;
mod restore;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;
pub use moment::Moment;
pub use place::Where;
pub use verify::{Scratch, Unwritten, written};

/// What can be done with journals. A database goes by its id (`db-…`), or by its name while controllers can be asked.
#[derive(Subcommand)]
pub enum Request {
    /// What a database's journal holds, object by object; without a database, what each holds
    Inspect {
        /// Name or id
        database: Option<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Check journals from end to end, and with SQLite what they restore to; fails when anything is damaged
    Verify {
        /// Names or ids. Default: every database that has a journal
        databases: Vec<String>,
        #[command(flatten)]
        at: Where,
    },
    /// Write a database as it is or was to a plain SQLite file
    Restore {
        /// Name or id
        database: String,
        /// The file; must not exist
        file: PathBuf,
        /// As of this position of its journal
        #[arg(long, value_name = "N", conflicts_with = "time")]
        position: Option<u64>,
        /// As of this moment, in the form of RFC 3339: 2026-11-22T02:30:00Z
        #[arg(long, value_name = "TIME")]
        time: Option<Moment>,
        #[command(flatten)]
        at: Where,
    },
}

/// Does it.
pub fn run(request: Request) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match request {
            Request::Inspect { database: Some(database), at } => inspect::one(&at, &database).await,
            Request::Inspect { database: None, at } => inspect::all(&at).await,
            Request::Verify { databases, at } => verify::run(&at, &databases).await,
            Request::Restore { database, file, position, time, at } => {
                restore::run(&at, &database, &file, restore::to(position, time)?).await
            }
        }
    })
}
