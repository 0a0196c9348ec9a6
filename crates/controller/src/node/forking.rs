//! Copies of databases: the map says what is to be made, any server makes it, the map says that it is made.
//!
//! Each of the three may be the last thing that a leader does: the next one sees the copy forming and goes on. What
//! cannot be made is dropped again, and whoever asked for it is told why.

use std::sync::Arc;

use model::{
    Cause, Command, DatabaseId, Fork, ForkPoint, IdempotencyKey, Name, Outcome, Rejection, RequestId, Tenure,
};
use rpc::{
    Refusal,
    controller::{DatabaseRef, Operated},
    server::{ForkRequest, ServerRefusal},
};
use tokio::time::{Duration, Instant, timeout};

use super::{Node, resolve};
use crate::{
    decide::Errand,
    limits::{FORK_RETRY, FORK_WAIT, FORKS_FAILED_MAX, FORKS_IN_FLIGHT_MAX},
    reign::Reign,
    servers::CallError,
};

impl Node {
    /// Makes a copy of a database and waits until it is made.
    pub(super) async fn fork_database(
        self: &Arc<Self>,
        reign: &Arc<Reign>,
        database: &DatabaseRef,
        name: Name,
        at: ForkPoint,
        key: IdempotencyKey,
    ) -> Result<Operated, Refusal> {
        let parent = self.view.read(|state| resolve(state, database))?;
        let command = Command::ForkDatabase { name, fork: Fork { parent, at }, key: Some(key) };
        let id = match self.propose_because(Cause::Fork, command).await?.outcome {
            Ok(Outcome::Database { database, .. }) => database,
            Ok(Outcome::Done | Outcome::Server { .. } | Outcome::Handler { .. }) => {
                unreachable!("BUG: forking a database gives a database")
            }
            // It was asked for before, and could not be made.
            Err(Rejection::DatabaseUnknown { database }) if database != parent => {
                return Err(self.not_forked(reign, database));
            }
            Err(rejection) => return Err(rejection.into()),
        };
        self.make_copies(reign, &self.servers_up(), Instant::now());
        self.formed(reign, id, FORK_WAIT).await?;
        Ok(self.operated(self.view.revision(), Some(id)))
    }

    /// Waits until a database is not forming any more.
    ///
    /// # Errors
    /// [`Refusal::ForkFailed`] when it cannot be made, [`Refusal::Unavailable`] when that takes longer than this.
    pub(super) async fn formed(&self, reign: &Reign, id: DatabaseId, wait: Duration) -> Result<(), Refusal> {
        let mut revisions = self.view.revisions();
        match timeout(wait, revisions.wait_for(|_| !self.forms(id))).await {
            Ok(_) if self.view.read(|state| state.fleet().database(id).is_some()) => Ok(()),
            Ok(_) => Err(self.not_forked(reign, id)),
            Err(_) => {
                let reason = reign.state(|state| state.forks_failed.get(&id).cloned());
                let tried = reason.map(|reason| format!("; the last try: {reason}")).unwrap_or_default();
                Err(Refusal::Unavailable { reason: format!("{id} is still being made{tried}") })
            }
        }
    }

    /// Whether a database is there and forming.
    pub(super) fn forms(&self, id: DatabaseId) -> bool {
        self.view.read(|state| state.fleet().database(id).is_some() && state.fleet().fork(id).is_some())
    }

    fn not_forked(&self, reign: &Reign, id: DatabaseId) -> Refusal {
        let reason = reign.state(|state| state.forks_failed.get(&id).cloned());
        Refusal::ForkFailed { reason: reason.unwrap_or_else(|| format!("{id} was dropped meanwhile")) }
    }

    /// Has servers make the copies that are forming.
    pub(super) fn make_copies(self: &Arc<Self>, reign: &Arc<Reign>, up: &[Tenure], now: Instant) {
        let forks = self.view.read(|state| {
            let forming = state.fleet().forming();
            reign.state(|known| known.forking.begin(forming, up, FORKS_IN_FLIGHT_MAX, now))
        });
        for fork in forks {
            let (node, reign) = (self.clone(), reign.clone());
            self.tasks.spawn(async move {
                let done = node.make_copy(&reign, fork).await;
                reign.state(|state| state.forking.ended(fork.database, done, FORK_RETRY, Instant::now()));
            });
        }
    }

    /// Has one copy made; tells whether it needs no more.
    async fn make_copy(&self, reign: &Reign, errand: Errand<Fork>) -> bool {
        let Errand { database, what: fork, on } = errand;
        let facts = self.view.read(|state| {
            Some((state.fleet().id()?, state.fleet().server(on.server)?.control_address.clone()))
        });
        let Some((fleet, address)) = facts else { return false };
        let request = RequestId(rand::random());
        let made = self.servers.fork(&address, ForkRequest { request, fleet, database, fork }).await;
        let command = match made {
            Ok(made) => {
                let (parent, position, copied) = (fork.parent, made.position, made.copied);
                tracing::info!(%database, %parent, position, copied, server = %on.server, "copy made");
                Command::FormDatabase { database }
            }
            Err(error) => {
                let parent = fork.parent;
                tracing::warn!(%database, %parent, server = %on.server, %error, "copy not made");
                reign.state(|state| {
                    state.forks_failed.insert(database, error.to_string());
                    if state.forks_failed.len() > FORKS_FAILED_MAX {
                        state.forks_failed.pop_first();
                    }
                });
                match error {
                    CallError::Said(ServerRefusal::CannotFork { .. }) => {
                        Command::AbandonDatabase { database }
                    }
                    CallError::Said(_) | CallError::ConnectionRefused | CallError::Silent { .. } => {
                        return false;
                    }
                }
            }
        };
        match self.propose_because(Cause::Fork, command).await {
            // Rejected, it was dropped or made meanwhile.
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%database, %error, "the map does not know yet what became of a copy");
                false
            }
        }
    }
}
