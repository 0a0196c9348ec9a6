//! Giving databases to servers and taking them away: the steps that routes and operators share.

use std::collections::BTreeSet;

use model::{Command, DatabaseId, Epoch, RequestId, ServerId, ServerState, Tenure};
use rpc::{
    Refusal,
    server::{LoadRequest, ReleaseRequest, ServerRefusal},
};
use tokio::time::Instant;

use super::Node;
use crate::{
    decide::{Candidacy, LoadFailure, place},
    limits::RELEASE_PATIENCE,
    meter::{self, Reason},
    reign::Reign,
    servers::CallError,
};

impl Node {
    /// The best server for a database.
    ///
    /// # Errors
    /// [`Refusal::NoServer`] says what is missing.
    pub(super) fn choose(
        &self,
        reign: &Reign,
        database: DatabaseId,
        avoid: &BTreeSet<ServerId>,
    ) -> Result<Tenure, Refusal> {
        let now = Instant::now();
        self.view.read(|state| {
            let chosen = reign.state(|known| {
                let (fleet, tally, liveness) = (state.fleet(), state.tally(), &known.liveness);
                place(database, &Candidacy { fleet, tally, liveness, avoid }, self.settings.lease / 2, now)
            });
            chosen.ok_or_else(|| {
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
    ) -> Result<Option<Epoch>, Refusal> {
        let proposed = self.propose(Command::AssignDatabase { database, epoch_expected, to }).await?;
        match proposed.outcome {
            Ok(_) => {
                meter::assigned(reason);
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
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%database, %epoch, server = %owner.server, %error, "load failed");
                Err((self.judge(&error), error.to_string()))
            }
        }
    }

    /// How a failed call is to be taken.
    fn judge(&self, error: &CallError) -> LoadFailure {
        match error {
            CallError::ConnectionRefused if self.settings.refused_is_dead => LoadFailure::Dead,
            CallError::ConnectionRefused | CallError::Silent { .. } => LoadFailure::Silent,
            CallError::Said(ServerRefusal::AnotherLife { .. }) => LoadFailure::Dead,
            CallError::Said(ServerRefusal::EpochSpent { .. }) => LoadFailure::EpochSpent,
            CallError::Said(
                ServerRefusal::Full { .. } | ServerRefusal::Failed { .. } | ServerRefusal::NotServing { .. },
            ) => LoadFailure::Unable,
        }
    }

    /// Finds out whether a server's process lives in this life.
    pub(super) async fn probe(&self, tenure: Tenure) -> Result<(), (LoadFailure, String)> {
        let address =
            self.view.read(|state| Some(state.fleet().server(tenure.server)?.control_address.clone()));
        let address = address.ok_or_else(|| (LoadFailure::Dead, "it is not known any more".into()))?;
        match self.servers.probe(&address).await {
            Ok(status) if status.incarnation == tenure.incarnation => Ok(()),
            Ok(_) => Err((LoadFailure::Dead, "it has begun another life".into())),
            Err(error) => Err((self.judge(&error), error.to_string())),
        }
    }

    /// Declares a server's life over. Heartbeats of it are not acknowledged from now on, unless that fails.
    ///
    /// # Errors
    /// As [`Node::propose`].
    pub(super) async fn expire(&self, reign: &Reign, tenure: Tenure, why: &str) -> Result<(), Refusal> {
        let Tenure { server, incarnation } = tenure;
        reign.state(|state| state.expiring.insert(tenure));
        let result = self.propose(Command::ExpireServer { server, incarnation }).await;
        reign.state(|state| state.expiring.remove(&tenure));
        if result?.outcome.is_ok() {
            tracing::warn!(%server, %incarnation, why, "server declared dead");
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
        let Err(error) = self.servers.release(&address, release).await else { return Ok(()) };
        match self.judge(&error) {
            LoadFailure::Dead | LoadFailure::EpochSpent => Ok(()),
            LoadFailure::Unable | LoadFailure::Silent => {
                let server = owner.server;
                Err(Refusal::Unavailable {
                    reason: format!("server {server} does not let go of it: {error}"),
                })
            }
        }
    }
}
