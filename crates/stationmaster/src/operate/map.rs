//! `stationmaster map …`

mod backup;
mod export;
mod import;
mod lines;
mod restore;

pub use backup::fetch;

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, time::Duration};

use clap::Subcommand;
use model::{Digest, FleetId, Revision};
use rpc::{
    Refusal,
    controller::{Consistency, DatabaseInfo, DatabaseRef, LookUp},
};
use serde_json::json;
use tokio::time::sleep;

use super::{
    Cell, Cluster, Listing, Reach,
    cluster::{Each, nobody},
    databases,
    listing::print,
};

/// What can be done with the map.
#[derive(Subcommand)]
pub enum Request {
    /// Fingerprint of every controller's map; fails when two differ at the same revision
    Digest(Reach),
    /// Where a database is, by every controller's own map
    Get {
        /// Name or id
        database: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Write the whole map to a file: databases, users, options; not the databases' data
    Backup {
        /// The file; must not exist
        file: PathBuf,
        /// The data directory of a controller that is not running, instead of asking one that is
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Make the data directories of new controllers from a backup, after the old ones were lost
    Restore {
        /// The backup
        #[arg(required_unless_present = "fleet", conflicts_with = "fleet")]
        file: Option<PathBuf>,
        /// Instead of a backup: an empty map for this fleet, of which only the journals are left
        #[arg(long, value_name = "ID")]
        fleet: Option<FleetId>,
        /// Configuration file of a controller that gets the map; of all that are on this machine
        #[arg(long, value_name = "FILE", required = true)]
        config: Vec<PathBuf>,
        /// JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Write the map as JSON lines: one for each database, user and option
    Export {
        /// The file; must not exist. Default: stdout
        file: Option<PathBuf>,
        /// A backup to read, instead of asking a controller
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        #[command(flatten)]
        reach: Reach,
    },
    /// Make what the JSON lines of an export name and the map does not have; what is there already stays
    Import {
        /// The file; - is stdin
        file: PathBuf,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        reach: Reach,
    },
}

/// How often the controllers are asked again while they are at different revisions.
const ROUNDS: usize = 20;
/// Pause between two rounds.
const PAUSE: Duration = Duration::from_millis(100);

/// How the fingerprints compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// All that answered are at one revision and have one map.
    Equal,
    /// Two have different maps at the same revision: a bug or damage.
    Differ,
    /// They were never seen at one revision: changes went on all the while.
    Apart,
}

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    match request {
        Request::Digest(reach) => digest(&reach).await,
        Request::Get { database, reach } => get(&reach, &database).await,
        Request::Backup { file, data_dir, reach } => backup::run(&reach, &file, data_dir.as_deref()).await,
        Request::Restore { file, fleet, config, json } => {
            restore::run(file.as_deref(), fleet, &config, json).await
        }
        Request::Export { file, from, reach } => export::run(&reach, file.as_deref(), from.as_deref()).await,
        Request::Import { file, dry_run, reach } => import::run(&reach, &file, dry_run).await,
    }
}

/// Asks each controller for what it has applied. Fails when one that answers does not know the database.
async fn get(reach: &Reach, database: &str) -> anyhow::Result<ExitCode> {
    let cluster = reach.cluster()?;
    cluster.learn().await;
    let database = DatabaseRef::parse(database);
    let asked = cluster
        .each(|client, context| {
            let request =
                LookUp { database: database.clone(), consistency: Consistency::AtLeast(Revision::default()) };
            Box::pin(async move { client.look_up(context, request).await })
        })
        .await;
    if let Some(error) = nobody(&asked) {
        return Err(error);
    }
    let told: Vec<&Result<DatabaseInfo, Refusal>> =
        asked.iter().filter_map(|each| each.answer.as_ref().ok()).collect();
    if let (true, Some(Err(refusal))) = (told.iter().all(|told| told.is_err()), told.first()) {
        return Err(refusal.clone().into());
    }
    let known = told.iter().all(|told| told.is_ok());
    let keys = &["controller", "revision", "name", "id", "epoch", "server", "address"];
    let listing = asked.iter().fold(Listing::new(keys), |listing, each| listing.with(row(each)));
    print(reach.json, || listing.json(), || listing.table())?;
    Ok(if known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn row(each: &Each<Result<DatabaseInfo, Refusal>>) -> Vec<Cell> {
    let mut row = vec![Cell::text(&each.address)];
    match &each.answer {
        Ok(Ok(info)) => {
            row.push(Cell::Number(info.revision.0));
            row.extend(databases::row(info));
        }
        Ok(Err(refusal)) => row.extend([Cell::Nothing, Cell::text(refusal)]),
        Err(_) => row.extend([Cell::Nothing, Cell::text("unreachable")]),
    }
    row.resize(7, Cell::Nothing);
    row
}

async fn digest(reach: &Reach) -> anyhow::Result<ExitCode> {
    let cluster = reach.cluster()?;
    cluster.learn().await;
    let mut asked = ask(&cluster).await;
    for _ in 0..ROUNDS {
        if verdict(&digests(&asked)) != Verdict::Apart {
            break;
        }
        sleep(PAUSE).await;
        asked = ask(&cluster).await;
    }
    if let Some(error) = nobody(&asked) {
        return Err(error);
    }
    let verdict = verdict(&digests(&asked));
    let listing = asked.iter().fold(Listing::new(&["address", "revision", "digest"]), |listing, each| {
        let address = Cell::text(&each.address);
        listing.with(match &each.answer {
            Ok(digest) => vec![address, Cell::Number(digest.revision.0), Cell::text(digest)],
            Err(_) => vec![address, Cell::Nothing, Cell::text("unreachable")],
        })
    });
    let word = match verdict {
        Verdict::Equal => "equal",
        Verdict::Differ => "DIFFERENT AT THE SAME REVISION: one of these maps is wrong",
        Verdict::Apart => "not comparable: the controllers were never at one revision, changes go on",
    };
    let equal = match verdict {
        Verdict::Equal => Some(true),
        Verdict::Differ => Some(false),
        Verdict::Apart => None,
    };
    let json = || json!({ "equal": equal, "controllers": listing.json() });
    print(reach.json, json, || format!("{}{word}\n", listing.table()))?;
    Ok(if verdict == Verdict::Differ { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn ask(cluster: &Cluster) -> Vec<Each<Digest>> {
    cluster.each(|client, context| Box::pin(async move { client.digest(context).await })).await
}

fn digests(asked: &[Each<Digest>]) -> Vec<Digest> {
    asked.iter().filter_map(|each| each.answer.as_ref().ok().copied()).collect()
}

fn verdict(digests: &[Digest]) -> Verdict {
    let mut at = BTreeMap::new();
    for digest in digests {
        if *at.entry(digest.revision).or_insert(digest.value) != digest.value {
            return Verdict::Differ;
        }
    }
    if at.len() > 1 { Verdict::Apart } else { Verdict::Equal }
}

#[cfg(test)]
mod tests {
    use model::Revision;

    use super::*;

    #[test]
    fn only_maps_of_one_revision_can_differ() {
        let digest = |revision, value| Digest { revision: Revision(revision), value };
        assert_eq!(verdict(&[digest(1, 5), digest(1, 5)]), Verdict::Equal);
        assert_eq!(verdict(&[digest(1, 5), digest(2, 6)]), Verdict::Apart);
        assert_eq!(verdict(&[digest(1, 5), digest(2, 6), digest(1, 7)]), Verdict::Differ);
    }
}
