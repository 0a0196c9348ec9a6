//! A data directory that begins with a map, as if a leader had sent it: for measurements at full size, which would
//! otherwise spend their time making databases one by one.

use std::collections::BTreeMap;

use model::Fleet;
use openraft::BasicNode;

use crate::{
    machine::image,
    raft::{Membership, SnapshotMeta, StoredMembership},
    settings::Settings,
    store::{Disk as _, SledDisk, StoreError, codec::log_id},
};

/// Makes the data directory of these settings, for a fleet of their members that has this map.
///
/// # Errors
/// [`StoreError`]: the directory cannot be written, or is somebody's already.
pub async fn seed(settings: &Settings, fleet: Fleet) -> Result<(), StoreError> {
    let disk = SledDisk::open(settings.data_dir.clone(), settings.id, settings.power_loss_safe).await?;
    let members = settings.members.iter();
    let nodes: BTreeMap<_, _> =
        members.map(|(id, address)| (id.0, BasicNode { addr: address.clone() })).collect();
    let voters = nodes.keys().copied().collect();
    let members = Membership::new(vec![voters], nodes).expect("BUG: every voter is a node");
    let meta = SnapshotMeta {
        last_log_id: Some(log_id(0, 0, fleet.revision().0)),
        last_membership: StoredMembership::new(Some(log_id(0, 0, 0)), members),
    };
    let written = disk.put_image(Box::new(move |file| image::write(&meta, &fleet, file))).await;
    written.map_err(StoreError::io("write a snapshot to", settings.data_dir.clone()))?;
    // Its founders have nothing behind them that they could have forgotten.
    let admitted = disk.admit().await;
    disk.close().await;
    admitted
}
