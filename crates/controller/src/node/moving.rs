//! Planned changes of owner, as the flight of a database: routes that are asked for meanwhile wait for it (R27).

use std::{future::Future, sync::Arc};

use futures::FutureExt as _;
use model::{Command, DatabaseId, Epoch, Name, RequestId, ServerId, Tenure};
use rpc::{
    Refusal,
    controller::{DatabaseRef, Operated},
    server::LoadedDatabase,
};
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument as _;

use super::Node;
use crate::{
    decide::{Aim, Move, Moving, Routing, Trouble},
    fault,
    limits::{MOVE_STEPS_MAX, MOVE_WAIT, OUTLIVED_PAUSE, ROUTE_OWNERS_MAX},
    meter::{self, Reason},
    reign::{Landed, Reign},
};

impl Node {
    /// Gives a database to a server, or takes it from its owner, by an operator's word. The owner lets go first, and
    /// the new one has loaded it when this returns.
    ///
    /// # Errors
    /// The database does not exist, the owner does not let go, the new one cannot take it, or this controller cannot
    /// decide. [`Refusal::Lost`] when it takes long; repeating the call joins what is going on.
    pub(super) async fn change_owner(
        self: &Arc<Self>,
        reign: &Arc<Reign>,
        request: RequestId,
        database: &DatabaseRef,
        aim: Aim,
    ) -> Result<Operated, Refusal> {
        let (id, _, from) = self.held(database)?;
        let landed = timeout(MOVE_WAIT, self.own_flight(reign, request, id, aim, Reason::Operator)).await;
        let reason = || format!("{id} is still on its way; ask again");
        let route = landed.unwrap_or_else(|_| Err(Refusal::Lost { reason: reason() }))?;
        match (aim, route) {
            (Aim::To(to), Some(route)) if route.owner != to => Err(self.went_elsewhere(id, to, route.owner)),
            (Aim::To(to), _) => {
                let from = from.map(|from| from.server).filter(|from| *from != to.server);
                reign.state(|state| state.balance.moved_by_hand(id, from));
                Ok(self.operated(self.view.revision(), Some(id)))
            }
            (Aim::Away, _) => Ok(self.operated(self.view.revision(), Some(id))),
        }
    }

    /// Changes a database's owner in a flight of its own, after whatever else is going on with it.
    pub(super) fn own_flight(
        self: &Arc<Self>,
        reign: &Arc<Reign>,
        request: RequestId,
        id: DatabaseId,
        aim: Aim,
        reason: Reason,
    ) -> impl Future<Output = Landed> + Send + 'static {
        let (node, reign) = (self.clone(), reign.clone());
        async move {
            loop {
                let (flight, mine) = reign.join(id, &node.tasks, || {
                    let (node, reign) = (node.clone(), reign.clone());
                    let span = tracing::info_span!("move", %request, database = %id);
                    async move { node.relocate(&reign, request, id, aim, reason).await }
                        .instrument(span)
                        .boxed()
                });
                let landed = flight.await;
                if mine {
                    return landed;
                }
            }
        }
    }

    /// Takes one step after the other until the map is as it should be, and has the new owner load the database.
    pub(super) async fn relocate(
        self: &Arc<Self>,
        reign: &Reign,
        request: RequestId,
        id: DatabaseId,
        aim: Aim,
        reason: Reason,
    ) -> Landed {
        let began = Instant::now();
        let before = self.found(reign, id)?;
        let made = self.steps(reign, request, id, aim, reason).await;
        let landed = match (made, aim) {
            (Err(refusal), _) => Err(refusal),
            (Ok(_), Aim::Away) => Ok(None),
            (Ok(fresh), Aim::To(_)) => {
                let mut routing = Routing::new(None, ROUTE_OWNERS_MAX);
                fresh.into_iter().for_each(|epoch| routing.on_assigned(epoch));
                let landed = self.fly(reign, request, id, routing, reason).await.map(Some);
                fault::point("move: loaded");
                landed
            }
        };
        let took = began.elapsed();
        match &landed {
            Ok(route) => {
                let to = route.as_ref().map(|route| route.owner.server);
                let from = before.owner.map(|owner| owner.server);
                let epoch = route.as_ref().map_or(before.epoch.next(), |route| route.epoch);
                tracing::info!(?from, ?to, before = %before.epoch, %epoch, ?took, "database moved");
                meter::moved(Some(took));
            }
            Err(error) => {
                tracing::warn!(%error, epoch = %before.epoch, ?took, "database not moved");
                meter::moved(None);
            }
        }
        landed
    }

    /// The epoch that this made, if it assigned the database.
    async fn steps(
        self: &Arc<Self>,
        reign: &Reign,
        request: RequestId,
        id: DatabaseId,
        aim: Aim,
        reason: Reason,
    ) -> Result<Option<Epoch>, Refusal> {
        let mut moving = Moving::new(aim);
        let mut fresh = None;
        // What the map says here may be long gone, if this controller was cut off and does not know yet.
        let mut sure = false;
        for _ in 0..MOVE_STEPS_MAX {
            let found = self.found(reign, id)?;
            match moving.next(&found) {
                Move::Probe(to) => match self.probe(to).await {
                    Ok(()) => moving.on_answered(),
                    Err((_, reason)) => moving.on_failed(to, format!("it does not answer: {reason}")),
                },
                Move::Release(owner) => {
                    fault::point("move: decided");
                    self.unload(reign, id, found.epoch);
                    self.have_let_go(request, id, found.epoch, owner).await?;
                    fault::point("move: released");
                    moving.on_released(found.epoch);
                }
                Move::Assign(to) => {
                    let why = match found.owner {
                        Some(_) => self.why_moved(reign, request, id, reason),
                        None => self.why_given(id, reason, None),
                    };
                    fresh = self.assign(id, found.epoch, to, reason, why).await?;
                    fault::point("move: assigned");
                    sure = fresh.is_some();
                    if fresh.is_none() && self.still_up(to).is_err() {
                        moving.on_failed(to, "it is not up any more".into());
                    }
                }
                Move::Unassign => {
                    let command = Command::UnassignDatabase { database: id, epoch_expected: found.epoch };
                    let why = self.why_moved(reign, request, id, reason);
                    match self.propose_because(why, command).await?.outcome {
                        Ok(_) => sure = true,
                        Err(rejection) => {
                            tracing::debug!(database = %id, %rejection, "taking away overtaken");
                        }
                    }
                }
                Move::Done if !sure => {
                    self.read_index().await?;
                    sure = true;
                }
                Move::Done => return Ok(fresh),
                Move::Fail(Trouble { server, reason }) => {
                    return Err(Refusal::LoadFailed { database: id, server: self.called(server), reason });
                }
            }
        }
        Err(Refusal::Lost { reason: format!("{id} changes its owner all the time") })
    }

    /// Makes the owner let go. One that is too slow to finish has let go once it lets nobody in any more: what it still
    /// answers was asked before, and what it still writes fails at the fence. A silent one has when its life is over.
    async fn have_let_go(
        &self,
        request: RequestId,
        id: DatabaseId,
        epoch: Epoch,
        owner: Tenure,
    ) -> Result<(), Refusal> {
        let letting_go = async {
            let Err(refusal) = self.release(request, id, epoch, owner).await else { return Ok(()) };
            match self.lets_in(id, epoch, owner).await {
                Some(false) => {
                    tracing::warn!(server = %owner.server, %refusal, "goes on without a slow owner: it lets nobody in");
                    Ok(())
                }
                // Its lease may be about to lapse.
                None => {
                    sleep(self.settings.lease).await;
                    Err(refusal)
                }
                Some(true) => Err(refusal),
            }
        };
        tokio::select! {
            biased;
            () = self.outlived(owner) => Ok(()),
            done = letting_go => done,
        }
    }

    /// Whether a server still lets sessions into a database; `None` when it does not say.
    async fn lets_in(&self, id: DatabaseId, epoch: Epoch, owner: Tenure) -> Option<bool> {
        let address =
            self.view.read(|state| Some(state.fleet().server(owner.server)?.control_address.clone()));
        let status = self.servers.probe(&address?).await.ok()?;
        let here =
            |loaded: &LoadedDatabase| loaded.database == id && loaded.epoch == epoch && !loaded.closing;
        Some(status.incarnation == owner.incarnation && status.databases.iter().any(here))
    }

    /// Waits until a server's life is over in the map.
    async fn outlived(&self, tenure: Tenure) {
        while self.still_up(tenure).is_ok() {
            sleep(OUTLIVED_PAUSE).await;
        }
    }

    fn went_elsewhere(&self, database: DatabaseId, to: Tenure, owner: Tenure) -> Refusal {
        let reason = format!("it is on server {} now", self.called(owner.server));
        Refusal::LoadFailed { database, server: self.called(to.server), reason }
    }

    /// A server's name.
    pub(super) fn called(&self, server: ServerId) -> Name {
        let name = self.view.read(|state| state.fleet().server(server).map(|server| server.name.clone()));
        name.unwrap_or_else(|| Name::new(&server.to_string()).expect("BUG: an id is a good name"))
    }
}
