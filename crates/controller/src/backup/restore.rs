//! Data directories with which a fleet of controllers begins again from a map.
//!
//! Every controller that the fleet begins with gets the same snapshot, at the same place of a log that is otherwise
//! empty, and is admitted; others are added to them later, as to any fleet. The
//! place is beyond all that the lost controllers can have written: a later term and a higher index. Should one of them
//! come back with its old data, its log counts for less than this one, and it is sent the snapshot like any follower.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use model::{Fleet, RESTORE_SKIP};
use openraft::BasicNode;

use super::{Backup, BackupError};
use crate::{
    machine::image,
    raft::{Membership, SnapshotMeta, StoredMembership},
    settings::Settings,
    store::{Disk as _, SledDisk, StoreError, Write, codec, image_file::sync_dir},
};

impl Backup {
    /// The same map, ready for new controllers: see [`Fleet::restored`]. `at` is the time now.
    ///
    /// # Errors
    /// [`BackupError::Unfounded`].
    pub fn restored(self, at: model::TimestampMs) -> Result<Self, BackupError> {
        if self.fleet.id().is_none() {
            return Err(BackupError::Unfounded);
        }
        let of = format!("a backup of revision {}", self.fleet.revision());
        let term = self.meta.last_log_id.map_or(0, |id| id.leader_id.term);
        Ok(Self::begin(self.fleet.restored(at, &of), term, at))
    }

    /// An empty map for a fleet of which only journals are left. `at` is the time now.
    pub fn refounded(fleet: model::FleetId, at: model::TimestampMs) -> Self {
        Self::begin(Fleet::refounded(fleet, at), 0, at)
    }

    fn begin(fleet: Fleet, term: u64, at: model::TimestampMs) -> Self {
        let term = term.saturating_add(RESTORE_SKIP).max(at.0.saturating_mul(1000));
        let last_log_id = Some(codec::log_id(term, 0, fleet.revision().0));
        Self { meta: SnapshotMeta { last_log_id, ..SnapshotMeta::default() }, fleet }
    }
}

/// Makes the data directory of one controller of those that the new fleet begins with, by number. All of them must be
/// given the same map, made ready by [`Backup::restored`] once.
///
/// # Errors
/// [`BackupError::NotEmpty`], or [`BackupError::Store`] when it cannot be written; there is no data directory then.
pub async fn restore(
    backup: &Backup,
    settings: &Settings,
    voters: &BTreeSet<u64>,
) -> Result<(), BackupError> {
    let dir = &settings.data_dir;
    refuse_data(dir)?;
    let unfinished = beside(dir);
    match fs::remove_dir_all(&unfinished) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(StoreError::io("remove", &unfinished)(source).into());
        }
        Ok(()) | Err(_) => {}
    }
    write(backup, settings, voters, &unfinished).await?;
    fs::rename(&unfinished, dir).map_err(StoreError::io("make", dir))?;
    let parent = dir.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    sync_dir(parent).map_err(StoreError::io("sync", parent))?;
    Ok(())
}

/// Refuses a directory in which there is anything.
///
/// # Errors
/// [`BackupError::NotEmpty`], or [`BackupError::Store`] when it cannot be read.
pub fn refuse_data(dir: &Path) -> Result<(), BackupError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(BackupError::NotEmpty { path: dir.into() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StoreError::io("read", dir)(source).into()),
    }
}

/// Where the directory is made before it gets its name, so that a half-made one never counts.
fn beside(dir: &Path) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(".restoring");
    dir.with_file_name(name)
}

async fn write(
    backup: &Backup,
    settings: &Settings,
    voters: &BTreeSet<u64>,
    dir: &Path,
) -> Result<(), BackupError> {
    let place = backup.meta.last_log_id.expect("BUG: a map that is ready has its place");
    let fleet = backup.fleet.id().ok_or(BackupError::Unfounded)?;
    let begin = settings.members.iter().filter(|(id, _)| voters.contains(&id.0));
    let nodes: BTreeMap<u64, BasicNode> =
        begin.map(|(id, address)| (id.0, BasicNode { addr: address.clone() })).collect();
    let voters: BTreeSet<u64> = nodes.keys().copied().collect();
    let members = Membership::new(vec![voters], nodes).expect("BUG: every voter is among the nodes");
    let meta = SnapshotMeta {
        last_log_id: Some(place),
        last_membership: StoredMembership::new(Some(place), members),
    };
    let disk = SledDisk::open(dir.into(), settings.id, true).await?;
    let map = backup.fleet.clone();
    let vote = codec::vote(place.leader_id.term, place.leader_id.node_id, false);
    let written = async {
        disk.put_image(Box::new(move |file| image::write(&meta, &map, file)))
            .await
            .map_err(StoreError::io("write to", dir))?;
        let batch = vec![Write::Purge { upto: place }, Write::Committed(place), Write::Vote(vote)];
        disk.write(batch).await.map_err(StoreError::io("write to", dir))?;
        disk.belong_to(fleet).await?;
        // Nothing that it may have forgotten counts any more: the log begins anew.
        disk.admit().await
    };
    let written = written.await;
    disk.close().await;
    Ok(written?)
}
