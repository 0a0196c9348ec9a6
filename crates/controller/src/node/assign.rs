//! Giving databases to servers and taking them away: the steps that routes and operators share.

use std::{collections::BTreeSet, time::Duration};

use model::{
    Command, DatabaseId, Epoch, Fact, Fleet, PinnedTo, RequestId, ServerId, ServerState, Tenure, What, Why,
};
use rpc::{
    Refusal,
    server::{LoadRequest, ReleaseRequest, ServerRefusal},
};
use tokio::time::Instant;

use super::Node;
use crate::{
    decide::{Cause, Known, LoadFailure, Promise, pinned, place},
    fault,
    limits::{BETWEEN_LIVES, RELEASE_PATIENCE},
    meter::{self, Reason},
    reign::Reign,
    servers::CallError,
};

impl Node {
    /// The best server for a database, which counts as on its way there until the answer is dropped.
    ///
    /// # Errors
    /// [`Refusal::NoServer`] says what is missing.
    pub(super) fn choose(
        &self,
        reign: &Reign,
        database: DatabaseId,
        avoid: &BTreeSet<ServerId>,
    ) -> Result<Promise, Refusal> {
        let now = Instant::now();
        self.view.read(|state| {
            let (chosen, pinned) = reign.state(|known| {
                let sketch = known.balance.sketch(&known.loads, now);
                let all = Known {
                    fleet: state.fleet(),
                    tally: state.tally(),
                    liveness: &known.liveness,
                    pending: &known.pending,
                    sketch: &sketch,
                };
                let policy = &self.settings.balance.policy;
                let chosen = place(database, &all, avoid, policy, self.settings.lease / 2, now);
                let pinned = chosen.is_none() && pinned(database, &all);
                (chosen.map(|chosen| known.pending.promise(chosen.tenure, chosen.load)), pinned)
            });
            chosen.ok_or_else(|| {
                if pinned {
                    let reason = unplaceable(state.fleet(), database);
                    return Refusal::NoServer { reason };
                }
                let up = state.fleet().servers().filter(|(_, server)| server.state == ServerState::Up);
                let reason = match (state.fleet().servers().count(), up.count()) {
                    (0, _) => "none has ever registered; start one".into(),
                    (known, 0) => format!("{known} are known, all are down or draining; start one"),
                    (_, up) => format!("{up} are up, and none of them can take it"),
                };
                Refusal::NoServer { reason }
            })
        })
    }

    /// Gives a database to a server, if it is still at this epoch. The new epoch; `None` when somebody else was first
    /// or the server's life ended meanwhile.
    ///
    /// # Errors
    /// As [`Node::propose`].
    pub(super) async fn assign(
        &self,
        database: DatabaseId,
        epoch_expected: Epoch,
        to: Tenure,
        reason: Reason,
        why: Why,
    ) -> Result<Option<Epoch>, Refusal> {
        let command = Command::AssignDatabase { database, epoch_expected, to };
        let proposed = self.propose_because(why, command).await?;
        match proposed.outcome {
            Ok(_) => {
                meter::assigned(reason);
                if let Some(reign) = self.reign_if_any() {
                    reign.state(|state| state.loads.moved(database, to, Instant::now()));
                }
                let epoch = epoch_expected.next();
                tracing::info!(%database, %epoch, server = %to.server, ?reason, "database assigned");
                Ok(Some(epoch))
            }
            Err(rejection) => {
                tracing::debug!(%database, %rejection, "assignment overtaken");
                Ok(None)
            }
        }
    }

    /// Tells a database's owner to load it. The inner error says what is wrong, and how it is to be taken.
    pub(super) async fn load(
        &self,
        request: RequestId,
        database: DatabaseId,
        epoch: Epoch,
        owner: Tenure,
    ) -> Result<(), (LoadFailure, String)> {
        let facts = self.view.read(|state| {
            let name = state.fleet().database(database)?.name.clone();
            Some((name, state.fleet().server(owner.server)?.control_address.clone()))
        });
        let Some((name, address)) = facts else {
            return Err((LoadFailure::EpochSpent, "the database has just been dropped".into()));
        };
        let load = LoadRequest { request, incarnation: owner.incarnation, database, name, epoch };
        let result = self.servers.load(&address, load).await;
        meter::load_prompted(result.is_ok());
        match result {
            Ok(loaded) => {
                tracing::info!(
                    %database, %epoch, server = %owner.server, already = loaded.already,
                    took_us = loaded.took_us, "database loaded"
                );
                if !loaded.already {
                    let fact = Fact::new(What::LoadFinished).database(database, epoch).server(owner.server);
                    self.note(fact.took(Duration::from_micros(loaded.took_us)));
                }
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%database, %epoch, server = %owner.server, %error, "load failed");
                let failed = (self.judge(&error), error.to_string());
                self.load_failed_there(database, epoch, owner, &failed);
                Err(failed)
            }
        }
    }

    /// How a failed call is to be taken.
    fn judge(&self, error: &CallError) -> LoadFailure {
        match error {
            CallError::ConnectionRefused if self.settings.refused_is_dead => {
                LoadFailure::Dead(Cause::Refused)
            }
            CallError::ConnectionRefused | CallError::Silent { .. } => LoadFailure::Silent,
            CallError::Said(ServerRefusal::AnotherLife { .. }) => LoadFailure::Dead(Cause::AnotherLife),
            CallError::Said(ServerRefusal::EpochSpent { .. }) => LoadFailure::EpochSpent,
            CallError::Said(
                ServerRefusal::CannotFork { .. }
                | ServerRefusal::Full { .. }
                | ServerRefusal::Failed { .. }
                | ServerRefusal::NotServing { .. },
            ) => LoadFailure::Unable,
        }
    }

    /// Finds out whether a server's process lives in this life.
    pub(super) async fn probe(&self, tenure: Tenure) -> Result<(), (LoadFailure, String)> {
        let address =
            self.view.read(|state| Some(state.fleet().server(tenure.server)?.control_address.clone()));
        let address = address
            .ok_or_else(|| (LoadFailure::Dead(Cause::AnotherLife), "it is not known any more".into()))?;
        match self.servers.probe(&address).await {
            Ok(status) if status.incarnation == tenure.incarnation => Ok(()),
            // It may have been given this very life a moment ago, and not know of it yet.
            Ok(status) if status.incarnation == BETWEEN_LIVES => {
                Err((LoadFailure::Unable, "it is not registered yet".into()))
            }
            Ok(_) => Err((LoadFailure::Dead(Cause::AnotherLife), "it has begun another life".into())),
            Err(error) => Err((self.judge(&error), error.to_string())),
        }
    }

    /// Declares a server's life over. Heartbeats of it are not acknowledged from now on, unless that fails.
    ///
    /// # Errors
    /// As [`Node::propose`].
    pub(super) async fn expire(&self, reign: &Reign, tenure: Tenure, cause: Cause) -> Result<(), Refusal> {
        let Tenure { server, incarnation } = tenure;
        fault::point("failover: decided");
        reign.state(|state| state.expiring.insert(tenure));
        let why = self.why_expired(reign, tenure, cause);
        let result = self.propose_because(why, Command::ExpireServer { server, incarnation }).await;
        reign.state(|state| state.expiring.remove(&tenure));
        if result?.outcome.is_ok() {
            fault::point("failover: server expired");
            meter::expired(cause);
            tracing::warn!(%server, %incarnation, %cause, "server declared dead");
        }
        Ok(())
    }

    /// Makes the owner finish with a database and put it away, before it is given to somebody else.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] when the owner lives but does not let go.
    pub(super) async fn release(
        &self,
        request: RequestId,
        database: DatabaseId,
        epoch: Epoch,
        owner: Tenure,
    ) -> Result<(), Refusal> {
        let address =
            self.view.read(|state| Some(state.fleet().server(owner.server)?.control_address.clone()));
        let Some(address) = address else { return Ok(()) };
        let release = ReleaseRequest {
            request,
            incarnation: owner.incarnation,
            database,
            epoch,
            patience_ms: u32::try_from(RELEASE_PATIENCE.as_millis()).unwrap_or(u32::MAX),
        };
        let began = Instant::now();
        let released = self.servers.release(&address, release).await;
        let what = if released.is_ok() { What::Released } else { What::ReleaseFailed };
        let fact = Fact::new(what).database(database, epoch).server(owner.server).took(began.elapsed());
        let Err(error) = released else {
            self.note(fact);
            return Ok(());
        };
        self.note(fact.evidence(error.to_string()));
        match self.judge(&error) {
            LoadFailure::Dead(_) | LoadFailure::EpochSpent => Ok(()),
            LoadFailure::Unable | LoadFailure::Silent => {
                let server = owner.server;
                Err(Refusal::Unavailable {
                    reason: format!("server {server} does not let go of it: {error}"),
                })
            }
        }
    }
}

/// Why a pinned database has no server, and what to do.
pub(super) fn unplaceable(fleet: &Fleet, database: DatabaseId) -> String {
    let pin = match fleet.pin(database) {
        Some(PinnedTo::Server(server)) => match fleet.server(*server) {
            Some(record) => format!("server {}, which does not take databases now", record.name),
            None => format!("server {server}, which is not known any more"),
        },
        Some(PinnedTo::Location(location)) => format!("location {location}, where no server can take it"),
        None => "nothing".into(),
    };
    let name = fleet.database(database).map_or_else(|| database.to_string(), |known| known.name.to_string());
    format!("{name} is pinned to {pin}: start one there, or `stationmaster databases unpin {name}`")
}
