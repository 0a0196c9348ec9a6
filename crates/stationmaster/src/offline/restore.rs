//! `stationmaster journal restore`: a database as it is or was, as a plain SQLite file.
//!
//! The file appears under its name when it is whole and synced, and never in the place of another.

use std::{path::Path, process::ExitCode};

use anyhow::{anyhow, bail};
use journal::{OfflineError, Position, Recovery, To};
use model::DatabaseId;
use server::engine::sqlite::image;

use super::{
    Moment, Where,
    verify::{Unwritten, unsound, written},
};
use crate::{
    failure::Usage,
    new_file::NewFile,
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
    let partial = NewFile::begin(file)?;
    let store = at.store().await?;
    let database = at.database(database).await?;
    let recovery = match written(&store, database, to, partial.path()).await {
        Ok(Some(recovery)) => recovery,
        Ok(None) => bail!("{database} was still empty then: nothing had ever been committed"),
        Err(Unwritten::Damaged(damaged)) => return Err(damaged.into()),
        Err(Unwritten::Failed(error)) => return Err(readable(error)),
    };
    let Finished { found, bytes } = tokio::task::spawn_blocking(move || finish(&partial)).await??;
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

/// Makes the image a plain file, checks it, and gives it its name.
fn finish(partial: &NewFile) -> anyhow::Result<Finished> {
    let found = match image::stand_alone(partial.path()) {
        Ok(()) => image::check(partial.path())?,
        // What SQLite does not even open may still be worth something to whoever asked for it.
        Err(error) => vec![error.to_string()],
    };
    Ok(Finished { found, bytes: partial.keep()? })
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
