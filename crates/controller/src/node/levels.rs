//! Raising the map's level once every controller knows more: the end of a rolling upgrade.

use std::sync::Arc;

use futures::future::join_all;
use model::{Cause, Command, Level};
use tokio::time::Instant;

use super::Node;
use crate::{limits::LEVELS_ASKED_EVERY, reign::Reign};

impl Node {
    /// Asks all controllers what they know, unless the map is at what this one knows, and raises the level if they all
    /// know more. One that cannot be asked may be of an earlier release, and stops it.
    pub(super) fn raise_level(self: &Arc<Self>, reign: &Reign, now: Instant) {
        if self
            .view
            .read(|state| state.fleet().id().is_none() || state.fleet().level() >= self.settings.level)
        {
            return;
        }
        let due = reign.state(|state| {
            let due = state.levels_asked.is_none_or(|at| now.duration_since(at) >= LEVELS_ASKED_EVERY);
            if due {
                state.levels_asked = Some(now);
            }
            due
        });
        if !due {
            return;
        }
        let node = self.clone();
        self.tasks.spawn(async move {
            let known: Option<Vec<Level>> = node.levels_known().await.into_iter().collect();
            let Some(level) = known.and_then(|known| known.into_iter().min()) else { return };
            node.raise_to(level).await;
        });
    }

    /// A fleet that begins is at what those know that begin it: whoever is not there yet has nothing to read.
    pub(super) async fn begin_level(&self) {
        let level = self.levels_known().await.into_iter().flatten().min();
        self.raise_to(level.unwrap_or(Level::FIRST)).await;
    }

    async fn raise_to(&self, level: Level) {
        if level <= self.view.read(|state| state.fleet().level()) {
            return;
        }
        match self.propose_because(Cause::Started, Command::RaiseLevel { level }).await {
            Ok(_) => tracing::info!(%level, "every controller knows this level now"),
            Err(error) => tracing::warn!(%level, %error, "the level is not raised yet"),
        }
    }

    /// What each controller knows; `None` for one that did not say.
    async fn levels_known(&self) -> Vec<Option<Level>> {
        let members = self.metrics().membership_config;
        let asked = members.nodes().map(|(id, node)| async move {
            match *id == self.settings.id.0 {
                true => Some(self.settings.level),
                false => Some(self.status_of(&node.addr).await.ok()?.level_known),
            }
        });
        join_all(asked).await
    }
}
