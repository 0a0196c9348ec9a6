//! Copies of the map for operators: made at one revision, read piece by piece, forgotten when nobody reads on.
//!
//! A copy has the form of a snapshot: what `stationmaster map backup` writes is what a controller keeps on its own disk.

use std::{collections::BTreeMap, sync::Arc};

use model::Digest;
use rpc::backup::{BackupPiece, BackupRequest};
use tokio::time::{Instant, sleep};

use super::Node;
use crate::{
    limits::{BACKUP_KEPT, BACKUPS_MAX, SNAPSHOT_CHUNK_BYTES},
    machine::image,
    raft::{SnapshotMeta, StoredMembership},
    store::codec,
};

/// The copies that are being read, by ticket.
#[derive(Default)]
pub struct Backups(BTreeMap<u64, Copy>);

/// One of them.
#[derive(Clone)]
struct Copy {
    bytes: Arc<Vec<u8>>,
    digest: Digest,
    read_at: Instant,
}

impl Node {
    /// A piece of a copy of the map; the first call makes the copy. Nothing when that is not kept any more.
    pub async fn backup(self: &Arc<Self>, request: BackupRequest) -> Option<BackupPiece> {
        let ticket = match request.ticket {
            Some(ticket) => ticket,
            None => self.begin_backup().await?,
        };
        let copy = self.backups(|backups| backups.read(ticket))?;
        let total = copy.bytes.len();
        let from = usize::try_from(request.offset).unwrap_or(usize::MAX).min(total);
        let to = (from + SNAPSHOT_CHUNK_BYTES).min(total);
        let bytes = copy.bytes[from..to].to_vec();
        Some(BackupPiece { ticket, total: total as u64, digest: copy.digest, bytes })
    }

    async fn begin_backup(self: &Arc<Self>) -> Option<u64> {
        let fleet = self.view.read(|state| state.fleet().clone());
        let metrics = self.metrics();
        // The term matters to nobody: whoever restores this begins a later one. Nor do the members.
        let last = metrics.last_applied.map_or((0, 0), |id| (id.leader_id.term, id.leader_id.node_id));
        let meta = SnapshotMeta {
            last_log_id: Some(codec::log_id(last.0, last.1, fleet.revision().0)),
            last_membership: StoredMembership::new(
                *metrics.membership_config.log_id(),
                metrics.membership_config.membership().clone(),
            ),
        };
        let made = self.calculator.call(move |()| (image::encode(&meta, &fleet), fleet.digest()));
        let (bytes, digest) = match made.await {
            Ok(made) => made,
            Err(gone) => {
                tracing::error!(%gone, "a backup of the map was not made");
                return None;
            }
        };
        let ticket = rand::random();
        let copy = Copy { bytes: Arc::new(bytes), digest, read_at: Instant::now() };
        self.backups(|backups| backups.keep(ticket, copy));
        let node = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                sleep(BACKUP_KEPT).await;
                let Some(node) = node.upgrade() else { return };
                if !node.backups(|backups| backups.still_read(ticket, Instant::now())) {
                    return;
                }
            }
        });
        Some(ticket)
    }

    fn backups<T>(&self, with: impl FnOnce(&mut Backups) -> T) -> T {
        with(&mut self.backups.lock().expect("BUG: nothing panics while holding this lock"))
    }
}

impl Backups {
    fn keep(&mut self, ticket: u64, copy: Copy) {
        while self.0.len() >= BACKUPS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, copy)| copy.read_at).map(|(ticket, _)| *ticket);
            self.0.remove(&oldest.expect("BUG: there are some"));
        }
        self.0.insert(ticket, copy);
    }

    fn read(&mut self, ticket: u64) -> Option<Copy> {
        let copy = self.0.get_mut(&ticket)?;
        copy.read_at = Instant::now();
        Some(copy.clone())
    }

    /// Forgets a copy that nobody has read lately; tells whether it is still there.
    fn still_read(&mut self, ticket: u64, now: Instant) -> bool {
        let read = self.0.get(&ticket).is_some_and(|copy| now.duration_since(copy.read_at) < BACKUP_KEPT);
        if !read {
            self.0.remove(&ticket);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::Revision;

    use super::*;

    fn copy(read_at: Instant) -> Copy {
        Copy { bytes: Arc::default(), digest: Digest { revision: Revision(1), value: 1 }, read_at }
    }

    #[tokio::test(start_paused = true)]
    async fn copies_that_nobody_reads_are_forgotten_and_their_number_is_bounded() {
        let (mut backups, begin) = (Backups::default(), Instant::now());
        backups.keep(1, copy(begin));
        backups.keep(2, copy(begin + Duration::from_secs(1)));
        backups.keep(3, copy(begin + Duration::from_secs(2)));
        assert!(backups.read(1).is_none() && backups.read(2).is_some(), "the oldest made room");
        assert!(backups.still_read(3, begin + BACKUP_KEPT));
        assert!(!backups.still_read(3, begin + BACKUP_KEPT * 2));
        assert!(backups.read(3).is_none());
    }
}
