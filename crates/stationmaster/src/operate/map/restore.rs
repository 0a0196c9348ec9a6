//! `stationmaster map restore`: data directories for new controllers, from a backup.
//!
//! The controllers are not running: a fleet that has begun to decide cannot be given another past.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use controller::{
    Settings,
    backup::{Backup, refuse_data, restore},
};
use model::FleetId;

use super::backup::read;
use crate::{
    cli,
    config::{self, Config},
    failure::Usage,
    operate::{Cell, Cluster, Listing, listing::print},
    role, secret,
};

const KEYS: &[&str] = &["controller", "data_dir", "fleet", "revision", "databases", "users", "digest"];

/// Restores a backup, or begins an empty map for a fleet.
pub async fn run(
    file: Option<&Path>,
    fleet: Option<FleetId>,
    configs: &[PathBuf],
    json: bool,
) -> anyhow::Result<ExitCode> {
    let backup = match (file, fleet) {
        (Some(file), _) => read(file)?.restored(role::now())?,
        (None, Some(fleet)) => Backup::refounded(fleet, role::now()),
        (None, None) => return Err(Usage("give a backup, or --fleet".into()).into()),
    };
    let mut all = Vec::with_capacity(configs.len());
    for config in configs {
        all.push(settings(config)?);
    }
    agree(&all)?;
    for (settings, secret_file) in &all {
        refuse_data(&settings.data_dir)?;
        nobody_runs(settings, secret_file).await?;
    }
    let voters = all.iter().map(|(settings, _)| settings.id.0).collect();
    let mut listing = Listing::new(KEYS);
    for (settings, _) in &all {
        let dir = settings.data_dir.display();
        restore(&backup, settings, &voters)
            .await
            .with_context(|| format!("controller {} was not given the map", settings.id))?;
        let (map, digest) = (backup.fleet(), backup.fleet().digest());
        listing.push(vec![
            Cell::Number(settings.id.0),
            Cell::text(dir),
            Cell::maybe(map.id()),
            Cell::Number(digest.revision.0),
            Cell::Number(map.databases_len() as u64),
            Cell::Number(map.users().count() as u64),
            Cell::text(digest),
        ]);
    }
    let missing = all[0].0.members.len() - all.len();
    let next = match missing {
        0 => "start the controllers; `stationmaster map digest` shows this digest until the map changes\n"
            .into(),
        _ => format!(
            "start these controllers, and then the {missing} others of `members` with empty data directories; each of \
             those is added by `stationmaster controllers add`\n"
        ),
    };
    print(json, || listing.json(), || format!("{}{next}", listing.table()))?;
    Ok(ExitCode::SUCCESS)
}

fn settings(file: &Path) -> anyhow::Result<(Settings, PathBuf)> {
    let Config { process, settings, .. } = cli::controller(file)?;
    match settings {
        config::Settings::Controller(controller) => Ok((controller.settings, process.secret_file)),
        config::Settings::Handler(_) | config::Settings::Server(_) => {
            unreachable!("BUG: read as a controller's")
        }
    }
}

/// The files must speak of one fleet, and each of another controller.
fn agree(all: &[(Settings, PathBuf)]) -> anyhow::Result<()> {
    for (index, (settings, _)) in all.iter().enumerate() {
        if settings.members != all[0].0.members {
            bail!(Usage("the `members` of these configurations differ: they are not of one fleet".into()));
        }
        let twice = all[..index]
            .iter()
            .find(|(other, _)| other.id == settings.id || other.data_dir == settings.data_dir);
        if twice.is_some() {
            bail!(Usage(format!(
                "controller {} or its data directory is named twice; give each controller's file once",
                settings.id
            )));
        }
    }
    Ok(())
}

/// A fleet that runs has a map already.
async fn nobody_runs(settings: &Settings, secret_file: &Path) -> anyhow::Result<()> {
    let addresses = settings.members.iter().map(|(_, address)| address.clone()).collect();
    let cluster = Cluster::new(addresses, secret::read(secret_file)?);
    let statuses = cluster.statuses().await;
    let running = statuses.iter().find(|each| {
        each.answer.as_ref().is_ok_and(|status| status.fleet.is_some() || status.revision.0 > 0)
    });
    match running {
        Some(each) => bail!(
            "the controller at {} runs and has a map; a map is restored into new controllers only\n  \
             try: stop it; or, if its map is the right one, start the others with empty data directories",
            each.address
        ),
        None => Ok(()),
    }
}
