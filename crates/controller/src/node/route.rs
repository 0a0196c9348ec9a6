//! Routes: the one way by which requests make databases be assigned and loaded (claims 1 to 4).

use std::sync::Arc;

use futures::FutureExt as _;
use model::{DatabaseId, Epoch, Rejection, RequestId, ServerId, Tenure};
use rpc::{
    Refusal,
    controller::{Route, RouteRequest},
};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::{Node, lookups::revision, resolve, witness::Fate};
use crate::{
    decide::{Found, Routing, Step, Trouble},
    fault,
    limits::{ROUTE_OWNERS_MAX, ROUTE_STEPS_MAX, ROUTE_WAIT},
    machine::State,
    meter::Reason,
    reign::Reign,
};

impl Node {
    /// Where to send a request. Assigns and loads the database if need be, once, however many ask at a time.
    ///
    /// # Errors
    /// The database does not exist, no server is up, none could load it, or this controller cannot decide.
    pub async fn route(self: &Arc<Self>, request: RouteRequest) -> Result<Route, Refusal> {
        let reign = self.reign()?;
        self.at_least(request.at_least).await?;
        let id = self.view.read(|state| resolve(state, &request.database))?;
        if self.forms(id) && self.formed(&reign, id, ROUTE_WAIT).await.is_err() {
            return Err(Rejection::DatabaseForming { database: id }.into());
        }
        let routing = Routing::new(request.failed, ROUTE_OWNERS_MAX);
        if routing.next(&self.found(&reign, id)?) == Step::Answer
            && let Some(route) = self.view.read(|state| route(state, id))
        {
            return Ok(route);
        }
        let landing = async {
            loop {
                let (flight, _) = reign.join(id, &self.tasks, || {
                    let (node, reign, routing) = (self.clone(), reign.clone(), routing.clone());
                    let span = tracing::info_span!("route", request = %request.request, database = %id);
                    let work = async move {
                        node.fly(&reign, request.request, id, routing, Reason::Request).await.map(Some)
                    };
                    work.instrument(span).boxed()
                });
                // Joined one that took it from its owner: now it needs a new one.
                if let Some(route) = flight.await? {
                    return Ok(route);
                }
            }
        };
        timeout(ROUTE_WAIT, landing)
            .await
            .unwrap_or_else(|_| Err(Refusal::Unavailable { reason: format!("{id} is still being loaded") }))
    }

    /// What the map and this reign know of a database.
    pub(super) fn found(&self, reign: &Reign, id: DatabaseId) -> Result<Found, Refusal> {
        let (epoch, owner) = self.view.read(|state| {
            let database = state.fleet().database(id).ok_or(Rejection::DatabaseUnknown { database: id })?;
            if state.fleet().fork(id).is_some() {
                return Err(Rejection::DatabaseForming { database: id });
            }
            Ok::<_, Rejection>((database.epoch, state.fleet().owner(id).map(|(tenure, _)| tenure)))
        })?;
        let loaded = reign.state(|state| state.loaded.get(&id) == Some(&epoch));
        Ok(Found { epoch, owner, loaded })
    }

    /// Takes one step after the other until there is an answer. `why` is the reason for giving it to a server when
    /// nobody owns it.
    pub(super) async fn fly(
        &self,
        reign: &Reign,
        request: RequestId,
        id: DatabaseId,
        mut routing: Routing,
        why: Reason,
    ) -> Result<Route, Refusal> {
        for _ in 0..ROUTE_STEPS_MAX {
            let found = self.found(reign, id)?;
            match routing.next(&found) {
                Step::Answer => {
                    if let Some(route) = self.view.read(|state| route(state, id)) {
                        return Ok(route);
                    }
                }
                Step::Load(owner) => {
                    let loaded = tokio::select! {
                        biased;
                        loaded = self.load(request, id, found.epoch, owner) => loaded,
                        fate = self.lost(reign, owner) => {
                            on_fate(&mut routing, &found, owner, Some(fate));
                            continue;
                        }
                    };
                    match loaded {
                        Ok(()) => {
                            fault::point("failover: loaded");
                            reign.state(|state| state.loaded.insert(id, found.epoch));
                            routing.on_loaded(found.epoch);
                        }
                        Err((why, reason)) => {
                            reign.state(|state| state.loaded.remove(&id));
                            routing.on_load_failed(found.epoch, owner, why, reason);
                        }
                    }
                }
                Step::Assign { avoid } => {
                    let to = match (self.choose(reign, id, &avoid), routing.trouble()) {
                        // Whoever is left has tried: what they said tells more than that nobody is left.
                        (Err(Refusal::NoServer { .. }), Some(trouble)) => {
                            return Err(self.load_failed(id, trouble));
                        }
                        (chosen, _) => chosen?,
                    };
                    let reason = if found.owner.is_none() { why } else { Reason::Failed };
                    let why = self.why_given(id, reason, routing.trouble().as_ref());
                    if let Some(epoch) = self.assign(id, found.epoch, to.tenure, reason, why).await? {
                        fault::point("failover: assigned");
                        routing.on_assigned(epoch);
                    }
                }
                Step::Probe(owner) => match self.probe(owner).await {
                    Ok(()) => routing.on_alive(found.epoch),
                    Err((why, reason)) => routing.on_load_failed(found.epoch, owner, why, reason),
                },
                Step::Expire(owner, cause) => {
                    self.expire(reign, owner, cause).await?;
                    routing.on_expired();
                }
                Step::Await(owner) => {
                    let fate = self.verdict(reign, owner).await;
                    on_fate(&mut routing, &found, owner, fate);
                }
                Step::Fail(trouble) => return Err(self.load_failed(id, trouble)),
            }
        }
        Err(Refusal::Lost { reason: format!("{id} changes its owner all the time") })
    }

    fn load_failed(&self, database: DatabaseId, trouble: Trouble) -> Refusal {
        let name = |id: ServerId| {
            let name = self.view.read(|state| state.fleet().server(id).map(|server| server.name.clone()));
            name.or_else(|| model::Name::new(&id.to_string()).ok())
        };
        match name(trouble.server) {
            Some(server) => Refusal::LoadFailed { database, server, reason: trouble.reason },
            None => Refusal::Unavailable { reason: trouble.reason },
        }
    }

    /// Forgets that a database is loaded: its owner is about to change.
    pub(super) fn unload(&self, reign: &Reign, id: DatabaseId, epoch: Epoch) {
        reign.state(|state| {
            if state.loaded.get(&id) == Some(&epoch) {
                state.loaded.remove(&id);
            }
        });
    }
}

/// A silent owner's fate. When its life is over, the map says so from now on.
fn on_fate(routing: &mut Routing, found: &Found, owner: Tenure, fate: Option<Fate>) {
    match fate {
        Some(Fate::Over) => routing.on_expired(),
        Some(Fate::Answers) => routing.on_answered(found.epoch),
        Some(Fate::Held(reason)) => routing.on_held(found.epoch, owner, reason),
        None => routing.on_held(found.epoch, owner, "it does not answer".into()),
    }
}

/// The route to a database's owner, as the map stands.
fn route(state: &State, id: DatabaseId) -> Option<Route> {
    let database = state.fleet().database(id)?;
    let (owner, server) = state.fleet().owner(id)?;
    Some(Route {
        database: id,
        name: database.name.clone(),
        epoch: database.epoch,
        owner,
        address: server.data_address.clone(),
        options: state.fleet().database_options(id),
        revision: revision(state),
    })
}
