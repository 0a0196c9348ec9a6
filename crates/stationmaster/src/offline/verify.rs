//! `stationmaster journal verify`: every byte of a journal, and what SQLite says of the image that it restores to.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use journal::{Damaged, ImageError, OfflineError, Position, Recovery, Store, To, Verified};
use model::DatabaseId;
use serde_json::{Value, json};
use server::engine::sqlite::image;

use super::Where;
use crate::{
    failure::causes,
    operate::{Cell, Listing, print},
};

/// How often an image is read again because a newer snapshot replaced the one that it begins with.
const ATTEMPTS: u32 = 3;

const KEYS: &[&str] = &["database", "verdict", "records", "snapshots", "bytes", "oldest", "newest"];

/// What was found about one database.
struct Report {
    database: DatabaseId,
    verified: Verified,
    /// What is wrong, in sentences that name the position.
    wrong: Vec<String>,
    /// Nothing was ever committed.
    empty: bool,
}

/// Checks databases; all of them when none is named.
pub async fn run(at: &Where, databases: &[String]) -> anyhow::Result<ExitCode> {
    let store = at.store().await?;
    let mut ids = Vec::with_capacity(databases.len());
    for database in databases {
        ids.push(at.database(database).await?);
    }
    if databases.is_empty() {
        ids = store.databases().await?;
    }
    let scratch = Scratch::new()?;
    let mut reports = Vec::with_capacity(ids.len());
    for database in ids {
        reports.push(Report::of(&store, database, &scratch).await?);
    }
    print(at.reach.json, || reports.iter().map(Report::json).collect(), || shown(&reports))?;
    let sound = reports.iter().all(|report| report.wrong.is_empty());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn shown(reports: &[Report]) -> String {
    let mut listing = Listing::new(KEYS);
    reports.iter().for_each(|report| listing.push(report.row()));
    let mut text = listing.table();
    for Report { database, verified, wrong, .. } in reports {
        wrong.iter().for_each(|sentence| text += &format!("{sentence}\n"));
        let foreign = verified.foreign.iter();
        foreign.for_each(|name| {
            text += &format!("{database}: {name:?} is no part of a journal, and disturbs nothing\n")
        });
    }
    text
}

impl Report {
    async fn of(store: &Store, database: DatabaseId, scratch: &Scratch) -> anyhow::Result<Self> {
        let verified = store.verify(database).await?;
        let wrong = verified.damaged.iter().map(said).collect();
        let mut report = Self { database, verified, wrong, empty: false };
        if report.wrong.is_empty() && !report.verified.dropped {
            report.image(store, scratch).await?;
        }
        Ok(report)
    }

    /// Restores the newest image and has SQLite look at it.
    async fn image(&mut self, store: &Store, scratch: &Scratch) -> anyhow::Result<()> {
        let path = scratch.0.join("image");
        let at = match written(store, self.database, To::Newest, &path).await {
            Ok(None) => {
                self.empty = true;
                return Ok(());
            }
            Ok(Some(recovery)) => recovery.state().position,
            Err(Unwritten::Damaged(damaged)) => {
                self.wrong.push(said(&damaged));
                return Ok(());
            }
            Err(Unwritten::Failed(error)) => return Err(error),
        };
        let found = tokio::task::spawn_blocking(move || {
            image::stand_alone(&path)?;
            image::check(&path)
        });
        match found.await? {
            Ok(lines) => self.wrong.extend(lines.iter().map(|line| unsound(self.database, at, line))),
            Err(error) => self.wrong.push(unsound(self.database, at, &error.to_string())),
        }
        Ok(())
    }

    fn verdict(&self) -> &'static str {
        match self {
            Self { wrong, .. } if !wrong.is_empty() => "damaged",
            Self { verified, .. } if verified.dropped => "dropped",
            Self { empty: true, .. } => "empty",
            Self { .. } => "sound",
        }
    }

    fn row(&self) -> Vec<Cell> {
        let reach = self.verified.restorable;
        vec![
            Cell::text(self.database),
            Cell::text(self.verdict()),
            Cell::Number(self.verified.records),
            Cell::Number(self.verified.snapshots),
            Cell::Number(self.verified.bytes),
            Cell::number(reach.map(|(oldest, _)| oldest.get())),
            Cell::number(reach.map(|(_, newest)| newest.get())),
        ]
    }

    fn json(&self) -> Value {
        let mut object = Listing::new(KEYS).with(self.row()).json_card();
        object["damaged"] = self.verified.damaged.iter().map(damage).collect();
        object["problems"] = json!(self.wrong);
        object["foreign"] = json!(self.verified.foreign);
        object
    }
}

fn damage(damaged: &Damaged) -> Value {
    json!({
        "object": damaged.object.to_string(),
        "position": damaged.position.get(),
        "damage": damaged.damage.to_string(),
    })
}

/// Damage in one sentence, with its database and position.
fn said(damaged: &Damaged) -> String {
    causes(&anyhow::Error::new(damaged.clone()))
}

/// What SQLite found, in one sentence with the same.
pub fn unsound(database: DatabaseId, at: Position, line: &str) -> String {
    format!("{database}: the image as of position {at} fails SQLite's integrity check: {line}")
}

/// Why an image was not written.
pub enum Unwritten {
    /// The journal is damaged.
    Damaged(Damaged),
    /// Anything else.
    Failed(anyhow::Error),
}

/// Writes a database's image as it was to a file; nothing when nothing was ever committed until then.
pub async fn written(
    store: &Store,
    database: DatabaseId,
    to: To,
    path: &Path,
) -> Result<Option<Recovery>, Unwritten> {
    let mut attempt = 1;
    loop {
        let recovery = store.restore(database, to).await.map_err(|error| match error {
            OfflineError::Damaged(damaged) => Unwritten::Damaged(damaged),
            OfflineError::Store { .. }
            | OfflineError::NoJournal { .. }
            | OfflineError::Dropped { .. }
            | OfflineError::OutOfReach { .. } => Unwritten::Failed(error.into()),
        })?;
        if recovery.is_empty() {
            return Ok(None);
        }
        match recovery.write_image(path).await {
            Ok(()) => return Ok(Some(recovery)),
            Err(ImageError::Collected { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(ImageError::Damaged(damaged)) => return Err(Unwritten::Damaged(damaged)),
            Err(
                error @ (ImageError::Collected { .. } | ImageError::File { .. } | ImageError::Store { .. }),
            ) => {
                return Err(Unwritten::Failed(error.into()));
            }
        }
    }
}

/// A directory for images that nobody else can look into. Removed in the end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one.
    ///
    /// # Errors
    /// When there is no room for temporary files.
    pub fn new() -> anyhow::Result<Self> {
        let dir = std::env::temp_dir().join(format!("stationmaster-images-{:016x}", rand::random::<u64>()));
        let made = fs::DirBuilder::new().mode(0o700).create(&dir);
        made.with_context(|| {
            format!("cannot make {} for the images (TMPDIR chooses its place)", dir.display())
        })?;
        Ok(Self(dir))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}
