//! Background failover: what a dead server had in use is loaded on others within a budget, without waiting for a request
//! (claims 5 and 42).
//!
//! Everything that must not be lost is in the map: that the server's life is over, and that its databases have been
//! given to nobody since. Every controller notes from the log whose life ended lately, so a new leader goes on (C17).
//! Which of the databases were in use only the leader knows: from the routes it gave, and from asking every server once
//! what it has loaded. One that could not ask takes some of them all, unused ones included.

use std::{collections::BTreeSet, sync::Arc};

use futures::FutureExt as _;
use model::{DatabaseId, Name, RequestId, Tenure};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::Node;
use crate::{
    decide::Routing,
    limits::{DRAIN_PAGE, FAILOVER_DATABASES_MAX, FAILOVER_FRESH, FAILOVER_UNKNOWN_MAX, ROUTE_OWNERS_MAX},
    machine::Fallen,
    meter::{self, Reason},
    reign::Reign,
};

impl Node {
    /// Asks every server once what it has loaded, so that this leader knows it should the server die.
    pub(super) fn survey(self: &Arc<Self>, reign: &Arc<Reign>, up: &[Tenure]) {
        let unknown: Vec<Tenure> = reign.state(|state| {
            let mut unknown: Vec<Tenure> = up.to_vec();
            unknown.retain(|tenure| {
                !state.rescue.knows(*tenure)
                    && !state.liveness.overdue(*tenure, Instant::now())
                    && state.surveying.insert(*tenure)
            });
            unknown
        });
        for tenure in unknown {
            let (node, reign) = (self.clone(), reign.clone());
            self.tasks.spawn(async move {
                let loaded = node.loaded_on(tenure).await;
                let known = loaded.is_some();
                let current: Vec<_> = node.view.read(|state| {
                    let loaded = loaded.into_iter().flatten();
                    let owned = loaded.filter_map(|id| {
                        let database = state.fleet().database(id)?;
                        (database.owner == Some(tenure)).then_some((id, database.epoch))
                    });
                    owned.collect()
                });
                reign.state(|state| {
                    state.surveying.remove(&tenure);
                    state.loaded.extend(current);
                    if known {
                        state.rescue.on_surveyed(tenure);
                    }
                });
            });
        }
    }

    /// Looks for what servers left whose lives ended lately, and goes on with the queue.
    pub(super) fn fail_over(self: &Arc<Self>, reign: &Arc<Reign>) {
        let fallen: Vec<Fallen> = self.view.read(|state| {
            let fresh = |fallen: &Fallen| fallen.heard.elapsed() <= FAILOVER_FRESH;
            let full = state.tally().fallen().filter(|fallen| state.tally().owned(fallen.tenure) > 0);
            full.filter(fresh).collect()
        });
        for Fallen { tenure, .. } in fallen {
            if reign.state(|state| state.rescue.begin_search(tenure)) {
                let (node, reign) = (self.clone(), reign.clone());
                self.tasks.spawn(async move { node.search(&reign, tenure).await });
            }
        }
        self.rescue_next(reign);
    }

    /// Finds the databases that were in use on a server whose life is over.
    async fn search(self: &Arc<Self>, reign: &Arc<Reign>, tenure: Tenure) {
        let knows = reign.state(|state| state.rescue.knows(tenure));
        let most = if knows { FAILOVER_DATABASES_MAX } else { FAILOVER_UNKNOWN_MAX };
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = self.left_by(reign, tenure, knows, after);
            found.extend(page);
            // A page at a time: look-ups wait for no longer than one takes.
            tokio::task::yield_now().await;
            match next {
                Some(_) if found.len() < most => after = next,
                _ => break,
            }
        }
        found.truncate(most);
        if !found.is_empty() {
            let databases = found.len();
            tracing::info!(server = %tenure.server, databases, knows, "databases of a dead server go elsewhere");
        }
        reign.state(|state| {
            // The biggest first: the small ones fill the gaps.
            let sketch = state.balance.sketch(&state.loads, Instant::now());
            let cores = |id: &DatabaseId| sketch.database(*id).map_or(0.0, |told| told.cores);
            found.sort_by(|a, b| cores(b).total_cmp(&cores(a)));
            state.rescue.on_found(found);
        });
        self.rescue_next(reign);
    }

    /// The databases that a life left, among the next page of the map, and where to go on.
    fn left_by(
        &self,
        reign: &Reign,
        tenure: Tenure,
        knows: bool,
        after: Option<Name>,
    ) -> (Vec<DatabaseId>, Option<Name>) {
        self.view.read(|state| {
            reign.state(|known| {
                let mut page = state.fleet().databases_after(after.as_ref()).take(DRAIN_PAGE);
                let (mut left, mut last, mut count) = (Vec::new(), None, 0);
                for (id, database) in &mut page {
                    let in_use = !knows || known.loaded.get(&id) == Some(&database.epoch);
                    if database.owner == Some(tenure) && in_use {
                        left.push(id);
                    }
                    (last, count) = (Some(&database.name), count + 1);
                }
                (left, last.filter(|_| count == DRAIN_PAGE).cloned())
            })
        })
    }

    /// Begins with as many as the budget allows.
    fn rescue_next(self: &Arc<Self>, reign: &Arc<Reign>) {
        let reigns = self.reign_if_any().is_some_and(|now| now.term == reign.term);
        if !reigns || self.host.shutdown.is_cancelled() || !self.anybody_takes() {
            return;
        }
        let (databases, waiting) = reign.state(|state| {
            let databases = state.rescue.begin(rand::random(), Instant::now());
            (databases, state.rescue.waiting())
        });
        meter::failover_waiting(waiting);
        for id in databases {
            let (node, reign) = (self.clone(), reign.clone());
            self.tasks.spawn(async move {
                node.rescue(&reign, id).await;
                reign.state(|state| state.rescue.on_ended());
                node.rescue_next(&reign);
            });
        }
    }

    fn anybody_takes(&self) -> bool {
        self.view
            .read(|state| state.fleet().servers().any(|(_, server)| server.state == model::ServerState::Up))
    }

    /// Loads a database elsewhere, in the flight that requests for it join, unless one of them was first.
    async fn rescue(self: &Arc<Self>, reign: &Arc<Reign>, id: DatabaseId) {
        let left = self.view.read(|state| {
            let owner = state.fleet().database(id).and_then(|database| database.owner);
            owner.is_some() && state.fleet().owner(id).is_none()
        });
        if !left {
            return;
        }
        let (flight, _) = reign.join(id, &self.tasks, || {
            let (node, reign) = (self.clone(), reign.clone());
            let request = RequestId(rand::random());
            let span = tracing::info_span!("failover", %request, database = %id);
            let routing = Routing::new(None, ROUTE_OWNERS_MAX);
            async move { node.fly(&reign, request, id, routing, Reason::Failover).await.map(Some) }
                .instrument(span)
                .boxed()
        });
        if let Err(error) = flight.await {
            tracing::warn!(database = %id, %error, "not loaded elsewhere yet; the next request does it");
        }
    }

    /// What a server has loaded; nothing when it does not say.
    pub(super) async fn loaded_on(&self, tenure: Tenure) -> Option<BTreeSet<DatabaseId>> {
        let address =
            self.view.read(|state| Some(state.fleet().server(tenure.server)?.control_address.clone()))?;
        match self.servers.probe(&address).await {
            Ok(status) if status.incarnation == tenure.incarnation => {
                Some(status.databases.into_iter().map(|loaded| loaded.database).collect())
            }
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(server = %tenure.server, %error, "a server does not say what it has loaded");
                None
            }
        }
    }
}
