//! `stationmaster databases adopt`: SQLite files become databases, and journals that the map does not know come back.
//!
//! The bytes go from here into the journals' place, past every server: whoever adopts needs the right to write there,
//! and nobody else has to be trusted with it. An id is reserved first, the journal is written under it and read back,
//! and only then does the map hear of a database; before that nobody can ask for it. What breaks off on the way is done
//! again by the same command, under the same id.

mod file;
mod journal;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use ::journal::Store;
use anyhow::{Context, bail};
use model::{DatabaseId, Epoch, Fleet, Name};
use rpc::controller::Operation;

use crate::{
    failure::{Usage, causes},
    offline::Where,
    operate::{Cell, Cluster, Listing, listing::print, map::fetch},
};

const KEYS: &[&str] = &["what", "name", "id", "bytes", "did"];

/// Endings of files that are taken from a folder.
const ENDINGS: [&str; 3] = ["db", "sqlite", "sqlite3"];

/// What is asked for.
pub struct Asked {
    /// Files, folders, ids.
    pub what: Vec<String>,
    /// Another name than that of the file.
    pub name: Option<Name>,
    /// All journals that the map does not know.
    pub orphans: bool,
    /// The place has no journals of this fleet yet.
    pub new_place: bool,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// One thing to adopt.
enum What {
    File(PathBuf),
    Journal(DatabaseId),
}

/// What became of it.
struct Did {
    id: Option<DatabaseId>,
    bytes: Option<u64>,
    what: &'static str,
}

/// What adopting needs.
struct Adopting<'a> {
    cluster: &'a Cluster,
    store: Store,
    /// The map as it was at the beginning.
    fleet: &'a Fleet,
    dry_run: bool,
}

/// Adopts everything that is asked for; what fails does not hold up the rest.
pub async fn run(at: &Where, asked: Asked) -> anyhow::Result<ExitCode> {
    let cluster = at.reach.cluster()?;
    let (_, backup) = fetch(&cluster).await?;
    let fleet = backup.fleet();
    let id = fleet.id().context("the fleet is not founded yet: no controller leads")?;
    let store = at.store_of(id, asked.new_place).await?;
    let adopting = Adopting { cluster: &cluster, store, fleet, dry_run: asked.dry_run };
    let all = everything(&adopting, &asked).await?;
    let mut listing = Listing::new(KEYS);
    let mut failed = 0;
    for (what, name) in all {
        let shown = match &what {
            What::File(path) => path.display().to_string(),
            What::Journal(id) => id.to_string(),
        };
        let did = match (&what, &name) {
            (_, Err(error)) => Err(anyhow::anyhow!("{error}; choose another with --name")),
            (What::File(path), Ok(name)) => adopting.file(path, name).await,
            (What::Journal(id), Ok(name)) => adopting.journal(*id, name).await,
        };
        let name = Cell::maybe(name.ok());
        match did {
            Ok(did) => listing.push(vec![
                Cell::text(shown),
                name,
                Cell::maybe(did.id),
                Cell::number(did.bytes),
                Cell::text(did.what),
            ]),
            Err(error) => {
                eprintln!("{shown}: {}", causes(&error));
                failed += 1;
                listing.push(vec![
                    Cell::text(shown),
                    name,
                    Cell::Nothing,
                    Cell::Nothing,
                    Cell::text("failed"),
                ]);
            }
        }
    }
    print(at.reach.json, || listing.json(), || listing.table())?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

type Named = (What, Result<Name, model::NameError>);

/// Every file and journal that is meant, with the name it gets.
async fn everything(adopting: &Adopting<'_>, asked: &Asked) -> anyhow::Result<Vec<Named>> {
    let mut all = Vec::new();
    for text in &asked.what {
        match (text.parse::<DatabaseId>(), Path::new(text)) {
            (Ok(id), _) => all.push(What::Journal(id)),
            (Err(_), path) if path.is_dir() => all.extend(files(path)?.into_iter().map(What::File)),
            (Err(_), path) => all.push(What::File(path.into())),
        }
    }
    if asked.orphans {
        all.extend(adopting.orphans().await?.into_iter().map(What::Journal));
    } else if asked.what.is_empty() {
        bail!(Usage("name SQLite files, folders of them, or ids of journals; or say --orphans".into()));
    }
    match (&asked.name, all.len()) {
        (None, _) => {
            Ok(all.into_iter().map(|what| (named(&what), what)).map(|(name, what)| (what, name)).collect())
        }
        (Some(name), 1) => Ok(all.into_iter().map(|what| (what, Ok(name.clone()))).collect()),
        (Some(_), count) => bail!(Usage(format!("--name is for one database, and these are {count}"))),
    }
}

/// The databases in a folder, by name.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let ends = path.extension().and_then(|ending| ending.to_str());
        if ends.is_some_and(|ends| ENDINGS.contains(&ends)) && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("there is no *.db, *.sqlite or *.sqlite3 in {}", folder.display());
    }
    files.sort();
    Ok(files)
}

/// The name that a thing gets without `--name`.
fn named(what: &What) -> Result<Name, model::NameError> {
    match what {
        What::File(path) => Name::new(&path.file_stem().unwrap_or_default().to_string_lossy()),
        What::Journal(id) => Name::new(&format!("recovered-{}", id.to_string().trim_start_matches("db-"))),
    }
}

impl Adopting<'_> {
    /// Journals that are there and that the map does not know.
    async fn orphans(&self) -> anyhow::Result<Vec<DatabaseId>> {
        let dropped: BTreeSet<DatabaseId> = self.fleet.dropped().map(|(id, _)| id).collect();
        let there = self.store.databases().await.context("cannot list the journals")?;
        let unknown =
            there.into_iter().filter(|id| self.fleet.database(*id).is_none() && !dropped.contains(id));
        let mut orphans = Vec::new();
        for id in unknown {
            if !journal::was_dropped(&self.store, id).await? {
                orphans.push(id);
            }
        }
        Ok(orphans)
    }

    /// Refuses a name that another database has.
    fn free(&self, name: &Name) -> anyhow::Result<()> {
        match self.fleet.database_named(name) {
            Some(database) => bail!(model::Rejection::NameTaken { name: name.clone(), database }),
            None => Ok(()),
        }
    }

    /// The last step: the map hears of it.
    async fn publish(&self, database: DatabaseId, name: &Name, epoch: Epoch) -> anyhow::Result<()> {
        let name = name.to_string();
        self.cluster.operate(Operation::AdoptDatabase { database, name, epoch }).await?;
        Ok(())
    }
}
