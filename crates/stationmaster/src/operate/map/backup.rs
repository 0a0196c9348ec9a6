//! `stationmaster map backup`: the whole map in one file, as it was at one revision.

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context, anyhow, bail};
use controller::backup::Backup;
use rpc::{Controllers, backup::BackupRequest};

use crate::{
    new_file::NewFile,
    operate::{
        Cell, Listing, Reach,
        cluster::{Cluster, answered, nobody},
        listing::print,
    },
};

const KEYS: &[&str] = &["file", "bytes", "fleet", "revision", "databases", "users", "digest"];

/// How often a backup is begun again because the controller did not keep it.
const ATTEMPTS: usize = 3;

/// Makes a backup.
pub async fn run(reach: &Reach, file: &Path, data_dir: Option<&Path>) -> anyhow::Result<ExitCode> {
    let new = NewFile::begin(file)?;
    let bytes = match data_dir {
        Some(dir) => Backup::of_directory(dir).await?.encode(),
        None => fetch(&reach.cluster()?).await?.0,
    };
    // What was written is what is told of, and whoever restores it will read it like this.
    let cannot = || format!("cannot write {}", file.display());
    fs::write(new.path(), &bytes).with_context(cannot)?;
    let backup = read(new.path())?;
    new.keep()?;
    let fleet = backup.fleet();
    let digest = fleet.digest();
    let listing = Listing::new(KEYS).with(vec![
        Cell::text(file.display()),
        Cell::Number(bytes.len() as u64),
        Cell::maybe(fleet.id()),
        Cell::Number(digest.revision.0),
        Cell::Number(fleet.databases_len() as u64),
        Cell::Number(fleet.users().count() as u64),
        Cell::text(digest),
    ]);
    print(reach.json, || listing.json_card(), || listing.card())?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a backup from a file.
pub fn read(file: &Path) -> anyhow::Result<Backup> {
    let cannot = || format!("cannot read the backup {}", file.display());
    let bytes = fs::read(file).with_context(cannot)?;
    Backup::decode(&bytes).with_context(cannot)
}

/// A copy of the map of the controller that is furthest, checked against the fingerprint that it told.
pub async fn fetch(cluster: &Cluster) -> anyhow::Result<(Vec<u8>, Backup)> {
    let statuses = cluster.statuses().await;
    if let Some(failed) = nobody(&statuses) {
        return Err(failed);
    }
    let answers = statuses.iter().filter_map(|each| Some((&each.address, each.answer.as_ref().ok()?)));
    let (address, _) = answers.max_by_key(|(_, status)| status.revision).expect("BUG: somebody answered");
    let controller = cluster.only(address);
    for _ in 0..ATTEMPTS {
        if let Some(fetched) = whole(&controller).await? {
            return Ok(fetched);
        }
    }
    bail!("{address} makes a backup and does not keep it; try again, or another controller (--controllers)")
}

/// All pieces; nothing when the controller has forgotten the copy meanwhile.
async fn whole(controller: &Controllers) -> anyhow::Result<Option<(Vec<u8>, Backup)>> {
    let (mut bytes, mut ticket) = (Vec::new(), None);
    loop {
        let request = BackupRequest { ticket, offset: bytes.len() as u64 };
        let asked = controller
            .any(move |client, context| Box::pin(async move { client.backup(context, request).await }));
        let Some(piece) = answered(asked.await)? else { return Ok(None) };
        ticket = Some(piece.ticket);
        bytes.extend_from_slice(&piece.bytes);
        if bytes.len() as u64 >= piece.total {
            let backup = Backup::decode(&bytes)?;
            if backup.fleet().digest() != piece.digest {
                return Err(anyhow!(
                    "what arrived is another map than the controller has; nothing was written"
                ));
            }
            return Ok(Some((bytes, backup)));
        }
        if piece.bytes.is_empty() {
            bail!("the controller's backup ends before its end");
        }
    }
}
