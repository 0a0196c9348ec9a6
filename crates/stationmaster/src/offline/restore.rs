//! `stationmaster journal restore`: a database as it is or was, as a plain SQLite file.
//!
//! The file appears under its name when it is whole and synced, and never in the place of another.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, anyhow, bail};
use journal::{OfflineError, Position, Recovery, To};
use model::DatabaseId;
use server::engine::sqlite::image;

use super::{
    Moment, Where,
    verify::{Unwritten, unsound, written},
};
use crate::{
    failure::Usage,
    operate::{Cell, Listing, print},
};

const KEYS: &[&str] = &["database", "file", "position", "epoch", "time", "transactions", "bytes"];

/// What was asked for.
pub fn to(position: Option<u64>, time: Option<Moment>) -> anyhow::Result<To> {
    match (position, time) {
        (None, None) => Ok(To::Newest),
        (None, Some(Moment(at))) => Ok(To::Time(at)),
        (Some(number), _) => match Position::new(number) {
            Some(position) if number > 0 => Ok(To::Position(position)),
            Some(_) | None => Err(Usage("positions count from 1".into()).into()),
        },
    }
}

/// Restores a database to a file.
pub async fn run(at: &Where, database: &str, file: &Path, to: To) -> anyhow::Result<ExitCode> {
    let taken = || anyhow!("{} is there already; nothing was changed", file.display());
    if file.symlink_metadata().is_ok() {
        return Err(taken());
    }
    let store = at.store().await?;
    let database = at.database(database).await?;
    let partial = Partial::beside(file)?;
    let recovery = match written(&store, database, to, &partial.path).await {
        Ok(Some(recovery)) => recovery,
        Ok(None) => bail!("{database} was still empty then: nothing had ever been committed"),
        Err(Unwritten::Damaged(damaged)) => return Err(damaged.into()),
        Err(Unwritten::Failed(error)) => return Err(readable(error)),
    };
    let (path, target) = (partial.path.clone(), file.to_path_buf());
    let finished = tokio::task::spawn_blocking(move || finish(&path, &target)).await?;
    let Finished { found, bytes } = match finished {
        Err(error) if is_taken(&error) => return Err(taken()),
        finished => finished?,
    };
    tell(at, file, database, &recovery, bytes)?;
    let position = recovery.state().position;
    found.iter().for_each(|line| eprintln!("{}", unsound(database, position, line)));
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What came of the last steps.
struct Finished {
    /// What SQLite finds wrong with the file.
    found: Vec<String>,
    bytes: u64,
}

/// Makes the image a plain file, checks it, syncs it, and gives it its name.
fn finish(partial: &Path, file: &Path) -> anyhow::Result<Finished> {
    let found = match image::stand_alone(partial) {
        Ok(()) => image::check(partial)?,
        // What SQLite does not even open may still be worth something to whoever asked for it.
        Err(error) => vec![error.to_string()],
    };
    let cannot = || format!("cannot write {}", file.display());
    let written = File::open(partial).with_context(cannot)?;
    written.sync_all().with_context(cannot)?;
    let bytes = written.metadata().with_context(cannot)?.len();
    fs::hard_link(partial, file).with_context(cannot)?;
    File::open(folder(file)).and_then(|folder| folder.sync_all()).with_context(cannot)?;
    Ok(Finished { found, bytes })
}

fn is_taken(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
}

fn tell(
    at: &Where,
    file: &Path,
    database: DatabaseId,
    recovery: &Recovery,
    bytes: u64,
) -> anyhow::Result<()> {
    let (state, shown) = (recovery.state(), file.display().to_string());
    let time = Moment(state.at);
    let listing = Listing::new(KEYS).with(vec![
        Cell::text(database),
        Cell::text(&shown),
        Cell::Number(state.position.get()),
        Cell::Number(state.epoch.0),
        Cell::text(time),
        Cell::Number(state.transactions),
        Cell::Number(bytes),
    ]);
    let (position, transactions) = (state.position, state.transactions);
    let sentence = || {
        format!(
            "restored {database} as of position {position} ({time}, after {transactions} transactions) \
             to {shown}, {bytes} bytes\n"
        )
    };
    print(at.reach.json, || listing.json_card(), sentence)?;
    Ok(())
}

/// An operator reads times as they are typed.
fn readable(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<OfflineError>() {
        Some(OfflineError::OutOfReach { database, wanted: To::Time(at), oldest, newest }) => anyhow!(
            "{database} cannot be restored to {}: its journal reaches from position {oldest} to {newest}\n  \
             try: `stationmaster journal inspect {database}`, which shows their times",
            Moment(*at)
        ),
        Some(_) | None => error,
    }
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

/// A file that is being written, beside the one it is to become. Removed in the end: that one is another link to it.
struct Partial {
    path: PathBuf,
}

impl Partial {
    /// Readable by its owner alone, as the restored file will be.
    fn beside(file: &Path) -> anyhow::Result<Self> {
        let Some(name) = file.file_name() else { bail!(Usage(format!("{} is no file", file.display()))) };
        let mut partial = OsString::from(".");
        partial.push(name);
        partial.push(format!(".restoring-{:016x}", rand::random::<u64>()));
        let path = file.with_file_name(partial);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.with_context(|| format!("cannot write into {}", folder(file).display()))?;
        Ok(Self { path })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            eprintln!("{} stays behind: {error}", self.path.display());
        }
    }
}
