//! Servers and handlers present themselves and stay in touch.

use futures::future::join_all;
use model::{Cause, Command, DatabaseId, Epoch, Incarnation, Name, Outcome, Registration, Rejection, Tenure};
use openraft::ReadPolicy;
use rpc::{
    Refusal,
    controller::{HandlerRegistered, Heartbeat, HeartbeatReply, ServerLoad, ServerRegistered},
};
use tokio::time::Instant;

use super::{Node, standing::millis};
use crate::{decide::supersedes, reign::Reign};

impl Node {
    /// A server starts a life.
    ///
    /// # Errors
    /// Another live server has the name, the fleet is not founded yet, or this controller cannot decide.
    pub async fn register_server(
        &self,
        registration: Registration,
        incarnation: Incarnation,
    ) -> Result<ServerRegistered, Refusal> {
        let reign = self.reign()?;
        let fleet = self.view.read(|state| state.fleet().id());
        let fleet = fleet.ok_or_else(|| Refusal::Unavailable {
            reason: "the fleet is not founded yet; in a moment".into(),
        })?;
        let supersedes = self.superseded(&reign, &registration, incarnation).await;
        let command = Command::RegisterServer { registration, supersedes, incarnation };
        let (_, outcome) = self.propose_because(Cause::Started, command).await?.accepted()?;
        let server = match outcome {
            Outcome::Server { server } => server,
            Outcome::Done | Outcome::Database { .. } | Outcome::Handler { .. } => {
                unreachable!("BUG: registering a server gives a server")
            }
        };
        let tenure = Tenure { server, incarnation };
        reign.state(|state| {
            state.liveness.heard(tenure, ServerLoad::default(), Instant::now());
            // It has nothing loaded yet, and this leader hears of everything that it will load.
            state.rescue.on_surveyed(tenure);
        });
        tracing::info!(%server, %incarnation, ?supersedes, "server registered");
        let heartbeat_ms = millis(self.settings.heartbeat);
        Ok(ServerRegistered { server, fleet, lease_ms: millis(self.settings.lease_granted()), heartbeat_ms })
    }

    /// The old life that this one ends, if any. One that has not been silent for a lease is looked after first: two
    /// servers may have been told to give the same name and the same addresses, on different machines.
    async fn superseded(
        &self,
        reign: &Reign,
        registration: &Registration,
        incarnation: Incarnation,
    ) -> Option<Incarnation> {
        let now = Instant::now();
        let (ended, lapsed) = self.view.read(|state| {
            let (server, record) = state.fleet().server_named(&registration.name)?;
            let old = Tenure { server, incarnation: record.incarnation };
            let lapsed = reign.state(|state| state.liveness.lapsed(old, now));
            let ended = supersedes(Some(record), registration, incarnation, lapsed)?;
            Some((Tenure { server, incarnation: ended }, lapsed))
        })?;
        let lives = !lapsed && self.probe(ended).await.is_ok();
        (!lives).then_some(ended.incarnation)
    }

    /// A server lives.
    ///
    /// Acknowledged only while a quorum has confirmed that this controller leads, so recently that no other can have
    /// been elected: whoever comes next waits a whole lease before it gives a silent server's databases away.
    ///
    /// # Errors
    /// [`Rejection::ServerNotUp`]: its life is over, it must drop everything and register anew. Anything else: the
    /// lease is not prolonged, try again.
    pub async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<HeartbeatReply, Refusal> {
        let reign = self.reign()?;
        let tenure = Tenure { server: heartbeat.server, incarnation: heartbeat.incarnation };
        let leads = self.raft.ensure_linearizable(ReadPolicy::LeaseRead);
        self.while_leading(leads).await?.map_err(|error| self.read_failed(error))?;
        self.still_up(tenure)?;
        let expiring = reign.state(|state| {
            let expiring = state.expiring.contains(&tenure);
            if !expiring {
                state.liveness.heard(tenure, heartbeat.load, Instant::now());
            }
            expiring
        });
        if expiring {
            let reason = "this server is just being declared dead".into();
            return Err(Refusal::Unavailable { reason });
        }
        self.put_away(&reign, tenure, &heartbeat.put_away).await?;
        Ok(HeartbeatReply { lease_ms: millis(self.settings.lease_granted()), controllers: self.addresses() })
    }

    pub(super) fn still_up(&self, tenure: Tenure) -> Result<(), Refusal> {
        let Tenure { server, incarnation } = tenure;
        self.view.read(|state| match state.fleet().server(server) {
            None => Err(Rejection::ServerUnknown { server }.into()),
            Some(record) if record.is_up_as(incarnation) => Ok(()),
            Some(_) => Err(Rejection::ServerNotUp { server, incarnation }.into()),
        })
    }

    /// Takes from a server the databases that it put away, unless they have been given out again since.
    async fn put_away(
        &self,
        reign: &Reign,
        tenure: Tenure,
        databases: &[(DatabaseId, Epoch)],
    ) -> Result<(), Refusal> {
        let current: Vec<(DatabaseId, Epoch)> = self.view.read(|state| {
            let fleet = state.fleet();
            let is_current = |(id, epoch): &&(DatabaseId, Epoch)| {
                fleet.database(*id).is_some_and(|known| known.epoch == *epoch && known.owner == Some(tenure))
            };
            databases.iter().filter(is_current).copied().collect()
        });
        let unassign = |(database, epoch_expected)| async move {
            reign.state(|state| state.loaded.remove(&database));
            let command = Command::UnassignDatabase { database, epoch_expected };
            self.propose_because(Cause::PutAwayIdle, command).await
        };
        for result in join_all(current.into_iter().map(unassign)).await {
            // A rejection says that somebody else changed the owner first: as good as done.
            result?;
        }
        Ok(())
    }

    /// A handler starts.
    ///
    /// # Errors
    /// Its address is too long, or this controller cannot decide.
    pub async fn register_handler(
        &self,
        name: Name,
        address: String,
        location: String,
    ) -> Result<HandlerRegistered, Refusal> {
        self.reign()?;
        let command = Command::RegisterHandler { name, address, location };
        match self.propose_because(Cause::Started, command).await?.accepted()? {
            (_, Outcome::Handler { handler }) => Ok(HandlerRegistered { handler }),
            (_, Outcome::Done | Outcome::Database { .. } | Outcome::Server { .. }) => {
                unreachable!("BUG: registering a handler gives a handler")
            }
        }
    }
}
