//! Snapshots of one database, stored beside its commits, one at a time and never most of the time.

use std::{path::PathBuf, sync::Arc, time::Duration};

use journal::{SnapshotDraft, Taken, Writer};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::World;
use crate::{limits::SNAPSHOT_PAUSE, measures};

/// The snapshot that is being stored, if any.
#[derive(Default)]
pub struct Snapshots {
    under_way: Option<UnderWay>,
    /// None begins before.
    not_before: Option<Instant>,
}

struct UnderWay {
    began: Instant,
    stored: AbortOnDropHandle<Option<Taken>>,
}

impl Snapshots {
    /// Whether another may begin: none is under way, and the last one has left time for other work.
    pub fn may_begin(&self, now: Instant) -> bool {
        self.under_way.is_none() && self.not_before.is_none_or(|moment| now >= moment)
    }

    /// Stores an image that was made for this draft, which began then, and removes it.
    pub fn begin(&mut self, world: &Arc<World>, draft: SnapshotDraft, image: PathBuf, began: Instant) {
        let stored = tokio::spawn(store(Arc::clone(world), draft, image));
        let stored = AbortOnDropHandle::new(stored);
        self.under_way = Some(UnderWay { began, stored });
    }

    /// Tells the writer of a snapshot that is stored by now, or waits for it; then deletes what it made superfluous.
    pub async fn settle(&mut self, world: &World, writer: &mut Writer, wait: bool) {
        let Some(UnderWay { began, stored }) = self.under_way.take_if(|it| wait || it.stored.is_finished())
        else {
            return;
        };
        let taken = stored.await.unwrap_or_else(|error| {
            tracing::error!(%error, "storing a snapshot panicked");
            None
        });
        let now = Instant::now();
        self.not_before = Some(now + pause(now - began));
        if let Some(taken) = taken {
            measures::snapshot_taken(taken.size);
            writer.snapshot_taken(taken);
            let (collection, history, at) = (writer.collection(), world.history, writer.state().at);
            world.chore(async move {
                if let Err(error) = collection.run(history, at).await {
                    tracing::warn!(reason = crate::chain(&error), "the journal's garbage stays for now");
                }
            });
        }
    }
}

/// How long none begins after one that took so long.
fn pause(took: Duration) -> Duration {
    took * SNAPSHOT_PAUSE
}

async fn store(world: Arc<World>, draft: SnapshotDraft, image: PathBuf) -> Option<Taken> {
    let taken = draft.take(&image).await;
    if let Err(error) = &taken {
        tracing::warn!(reason = crate::chain(error), "no snapshot was stored");
    }
    let removed = world.workers.run(move || std::fs::remove_file(&image)).await;
    if let Err(error) = removed {
        tracing::warn!(%error, "the image of a snapshot was not removed");
    }
    taken.ok()
}
