//! Emptying servers: the leader moves what a draining server has to others, a few databases at a time, until it has
//! nothing (R27).
//!
//! That a server drains is in the map, so a new leader goes on where the old one stopped.
//! What is loaded is moved, so that its clients go on at once; what is not is only taken away, and the next request
//! assigns it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt as _, stream};
use model::{DatabaseId, Name, RequestId, ServerState, Tenure};
use rpc::Refusal;
use tokio::time::{Instant, sleep};

use super::Node;
use crate::{
    decide::Aim,
    limits::{DRAIN_PAGE, DRAIN_RETRY, DRAIN_RETRY_MAX, DRAINS_IN_FLIGHT_MAX},
    meter::Reason,
    reign::Reign,
};

impl Node {
    /// Whether a server drains in this life.
    pub(super) fn drains(&self, tenure: Tenure) -> bool {
        self.view.read(|state| {
            state.fleet().server(tenure.server).is_some_and(|server| {
                server.state == ServerState::Draining && server.incarnation == tenure.incarnation
            })
        })
    }

    /// Begins to empty every server that drains and has something, unless that is going on.
    pub(super) fn drain_servers(self: &Arc<Self>, reign: &Arc<Reign>) {
        let full: Vec<Tenure> = self.view.read(|state| {
            let draining =
                state.fleet().servers().filter(|(_, server)| server.state == ServerState::Draining);
            draining
                .map(|(server, record)| Tenure { server, incarnation: record.incarnation })
                .filter(|tenure| state.tally().owned(*tenure) > 0)
                .collect()
        });
        for tenure in full {
            if !reign.state(|state| state.draining.insert(tenure)) {
                continue;
            }
            let (node, reign) = (self.clone(), reign.clone());
            self.tasks.spawn(async move {
                let began = Instant::now();
                node.drain(&reign, tenure).await;
                reign.state(|state| state.draining.remove(&tenure));
                let left = node.view.read(|state| state.tally().owned(tenure));
                tracing::info!(server = %tenure.server, left, took = ?began.elapsed(), "drain ended");
            });
        }
    }

    /// Goes over the map again and again until the server has nothing, or is not to be drained by this reign any more.
    async fn drain(self: &Arc<Self>, reign: &Arc<Reign>, tenure: Tenure) {
        let goes_on = || {
            let reigns = self.reign_if_any().is_some_and(|now| now.term == reign.term);
            reigns && !self.host.shutdown.is_cancelled() && self.drains(tenure)
        };
        let (mut told, mut pause) = (BTreeSet::new(), DRAIN_RETRY);
        while goes_on() && self.view.read(|state| state.tally().owned(tenure)) > 0 {
            // One that does not say serves nobody either.
            let loaded = self.loaded_on(tenure).await.unwrap_or_default();
            let mut after = None;
            let mut failed = false;
            while goes_on() {
                let (databases, next) = self.owned_after(tenure, after);
                let work = databases.into_iter().map(|id| self.take_away(reign, id, loaded.contains(&id)));
                let mut work = stream::iter(work).buffer_unordered(DRAINS_IN_FLIGHT_MAX);
                while let Some(done) = work.next().await {
                    let Err((id, error)) = done else { continue };
                    failed = true;
                    if told.insert(id) {
                        tracing::warn!(database = %id, %error, "cannot move it off a draining server");
                    }
                }
                drop(work);
                match next {
                    Some(_) => after = next,
                    None => break,
                }
            }
            if failed {
                sleep(pause).await;
                pause = (2 * pause).min(DRAIN_RETRY_MAX);
            }
        }
    }

    /// The databases of a server among the next page of the map, and where to go on.
    fn owned_after(&self, tenure: Tenure, after: Option<Name>) -> (Vec<DatabaseId>, Option<Name>) {
        self.view.read(|state| {
            let page: BTreeMap<&Name, (DatabaseId, bool)> = state
                .fleet()
                .databases_after(after.as_ref())
                .take(DRAIN_PAGE)
                .map(|(id, database)| (&database.name, (id, database.owner == Some(tenure))))
                .collect();
            let last = page.last_key_value().map(|(name, _)| (*name).clone());
            let next = last.filter(|_| page.len() == DRAIN_PAGE);
            (page.values().filter(|(_, owned)| *owned).map(|(id, _)| *id).collect(), next)
        })
    }

    /// Moves one database, or just takes it away.
    ///
    /// # Errors
    /// Which one could not be moved, and why.
    async fn take_away(
        self: &Arc<Self>,
        reign: &Arc<Reign>,
        id: DatabaseId,
        loaded: bool,
    ) -> Result<(), (DatabaseId, Refusal)> {
        let chosen = self.choose(reign, id, &BTreeSet::new()).map_err(|error| (id, error))?;
        let aim = if loaded { Aim::To(chosen.tenure) } else { Aim::Away };
        let request = RequestId(rand::random());
        let landed = self.own_flight(reign, request, id, aim, Reason::Drain).await;
        landed.map(drop).map_err(|error| (id, error))
    }
}
