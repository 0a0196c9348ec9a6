//! What operators ask for, and clients by `CREATE DATABASE` and `DROP DATABASE`.

use std::{collections::BTreeSet, sync::Arc};

use model::{
    Cause, Command, DatabaseId, Epoch, Fact, IdempotencyKey, Name, Outcome, PinnedTo, Rejection, RequestId,
    Revision, ServerState, Tenure, What, Why,
};
use rpc::{
    Refusal,
    controller::{DatabaseRef, Operated, Operation},
    handshake::Role,
    placement::PinTarget,
};
use tokio::time::Instant;

use super::{Node, lookups::info, resolve, shortened};
use crate::{
    decide::{self, Aim},
    limits::{CREATE_PLACEMENTS_MAX, RELEASE_TIMEOUT},
    meter::{self, Reason},
    reign::Reign,
};

impl Node {
    /// Makes a change.
    ///
    /// # Errors
    /// The map says no, what is named does not exist, or this controller cannot decide.
    pub async fn operate(
        self: &Arc<Self>,
        role: Role,
        request: RequestId,
        operation: Operation,
    ) -> Result<Operated, Refusal> {
        let reign = self.reign()?;
        match operation {
            Operation::CreateDatabase { name, key } => {
                self.create(&reign, request, Name::new(&name).map_err(Rejection::from)?, key).await
            }
            Operation::ForkDatabase { database, name, at, key } => {
                let name = Name::new(&name).map_err(Rejection::from)?;
                self.fork_database(&reign, &database, name, at, key).await
            }
            Operation::DropDatabase { database } => self.drop_database(&reign, request, &database).await,
            Operation::RenameDatabase { database, name } => {
                let database = self.view.read(|state| resolve(state, &database))?;
                let name = Name::new(&name).map_err(Rejection::from)?;
                self.change(request, Command::RenameDatabase { database, name }, Some(database)).await
            }
            Operation::AssignDatabase { database, server: Some(server) } => {
                let to = self.taker_named(&server)?;
                self.pin_allows(&database, to)?;
                self.change_owner(&reign, request, &database, Aim::To(to)).await
            }
            Operation::AssignDatabase { database, server: None } => {
                let to = self.choose(&reign, self.held(&database)?.0, &BTreeSet::new())?;
                self.change_owner(&reign, request, &database, Aim::To(to.tenure)).await
            }
            Operation::MoveDatabase { database, server } => {
                let to = self.taker_named(&server)?;
                self.pin_allows(&database, to)?;
                self.change_owner(&reign, request, &database, Aim::To(to)).await
            }
            Operation::UnassignDatabase { database } => {
                self.change_owner(&reign, request, &database, Aim::Away).await
            }
            Operation::ExpireServer { server } => {
                let tenure = self.server_named(&server)?;
                self.expire(&reign, tenure, decide::Cause::Operator).await?;
                Ok(self.operated(self.view.revision(), None))
            }
            Operation::SetDatabaseOptions { database, options } => {
                let database = self.view.read(|state| resolve(state, &database))?;
                self.change(request, Command::SetDatabaseOptions { database, options }, Some(database)).await
            }
            Operation::DrainServer { server, draining } => {
                let Tenure { server, incarnation } = self.server_named(&server)?;
                let done = self
                    .change(request, Command::DrainServer { server, incarnation, draining }, None)
                    .await?;
                // However it came about: it is the operator's from now on.
                reign.state(|state| state.emptied.remove(&Tenure { server, incarnation }));
                tracing::info!(%server, %incarnation, draining, "drain asked for by an operator");
                self.drain_servers(&reign);
                Ok(done)
            }
            Operation::ReleaseBrake => {
                let servers = reign.state(|state| state.brake.release());
                tracing::warn!(
                    servers,
                    "brake released by an operator: the silent servers are declared dead"
                );
                let fact = Fact::new(What::BrakeOff).cause(Cause::Operator);
                self.note(fact.evidence(format!("request {request}; {servers} silent servers")));
                self.tick();
                Ok(self.operated(self.view.revision(), None))
            }
            Operation::ChangeControllers(change) => self.change_controllers(&reign, change).await,
            Operation::AdoptDatabase { database, name, epoch } => {
                let name = Name::new(&name).map_err(Rejection::from)?;
                self.change(request, Command::AdoptDatabase { database, name, epoch }, Some(database)).await
            }
            Operation::SendDirective { .. } | Operation::EndDirectives { .. } => {
                let reason = "who sends directives has to be proven; upgrade the process that asked";
                Err(Refusal::NotAllowed { reason: reason.into() })
            }
            Operation::Administer { by, wish } => self.administer(&reign, request, &by, wish).await,
            Operation::PutSender { user, role: right, by } => {
                let user = Name::new(&user).map_err(Rejection::from)?;
                let by = Name::new(&by).map_err(Rejection::from)?;
                operators_only(role, "give a right without a second person")?;
                self.change(request, Command::PutSender { user, role: right, by }, None).await
            }
            Operation::PinDatabase { database, to } => self.pin(request, &database, to).await,
            Operation::PauseBalancing { paused, by } => {
                let by = Name::new(&by).map_err(Rejection::from)?;
                self.change(request, Command::PauseBalancing { by, paused }, None).await
            }
            Operation::PutUser { name, verifier } => {
                let name = Name::new(&name).map_err(Rejection::from)?;
                self.user_may_change(role, &name)?;
                self.change(request, Command::PutUser { name, verifier }, None).await
            }
            Operation::DropUser { name } => {
                let name = Name::new(&name).map_err(Rejection::from)?;
                self.user_may_change(role, &name)?;
                self.change(request, Command::DropUser { name }, None).await
            }
        }
    }

    /// Every user may change users on a console, and a changed password would make him one who may send directives.
    fn user_may_change(&self, role: Role, name: &Name) -> Result<(), Refusal> {
        match self.view.read(|state| state.fleet().sender(name)) {
            Some(_) => operators_only(role, &format!("change user \"{name}\", who may send directives")),
            None => Ok(()),
        }
    }

    /// Says where a database must be.
    async fn pin(
        &self,
        request: RequestId,
        database: &DatabaseRef,
        to: Option<PinTarget>,
    ) -> Result<Operated, Refusal> {
        let database = self.view.read(|state| resolve(state, database))?;
        let to = to.map(|target| self.pinned_to(target)).transpose()?;
        self.change(request, Command::PinDatabase { database, to }, Some(database)).await
    }

    /// A pin, if there is such a server, or one in such a location, up or not.
    fn pinned_to(&self, target: PinTarget) -> Result<PinnedTo, Refusal> {
        self.view.read(|state| {
            let fleet = state.fleet();
            match target {
                PinTarget::Server(name) => match fleet.server_named(&name) {
                    Some((server, _)) => Ok(PinnedTo::Server(server)),
                    None => Err(Refusal::ServerNameUnknown { name: shortened(&name) }),
                },
                PinTarget::Location(location) => {
                    let known: BTreeSet<&str> =
                        fleet.servers().map(|(_, server)| server.location.as_str()).collect();
                    if known.contains(location.as_str()) {
                        return Ok(PinnedTo::Location(location));
                    }
                    let known: Vec<&str> = known.into_iter().filter(|name| !name.is_empty()).collect();
                    let reason = format!(
                        "no server is in location \"{}\"; there are: {}",
                        shortened(&location),
                        known.join(", ")
                    );
                    Err(Refusal::NoServer { reason })
                }
            }
        })
    }

    /// Refuses to give a database to a server where its pin does not allow it.
    fn pin_allows(&self, database: &DatabaseRef, to: Tenure) -> Result<(), Refusal> {
        self.view.read(|state| {
            let fleet = state.fleet();
            let id = resolve(state, database)?;
            let allowed = match fleet.pin(id) {
                None => true,
                Some(PinnedTo::Server(server)) => *server == to.server,
                Some(PinnedTo::Location(location)) => {
                    fleet.server(to.server).is_some_and(|server| server.location == *location)
                }
            };
            if allowed {
                return Ok(());
            }
            let name = &fleet.database(id).expect("BUG: resolved above").name;
            let reason = format!(
                "{name} is pinned elsewhere; pin it there, or `stationmaster databases unpin {name}` first"
            );
            Err(Refusal::NoServer { reason })
        })
    }

    /// Gives away a database id without a database.
    ///
    /// # Errors
    /// As [`Node::operate`].
    pub async fn reserve_database(
        &self,
        request: RequestId,
        key: IdempotencyKey,
    ) -> Result<DatabaseId, Refusal> {
        let proposed = self.propose_because(asked_for(request), Command::ReserveDatabase { key }).await?;
        match proposed.outcome? {
            Outcome::Database { database, .. } => Ok(database),
            Outcome::Done | Outcome::Server { .. } | Outcome::Handler { .. } => {
                unreachable!("BUG: reserving gives a database's id")
            }
        }
    }

    async fn change(
        &self,
        request: RequestId,
        command: Command,
        database: Option<DatabaseId>,
    ) -> Result<Operated, Refusal> {
        let why = asked_for(request);
        let (revision, _) = self.propose_because(why, command).await?.accepted()?;
        Ok(self.operated(revision, database))
    }

    pub(super) fn operated(&self, revision: Revision, database: Option<DatabaseId>) -> Operated {
        let database = database.and_then(|id| self.view.read(|state| info(state, id)));
        Operated { revision, database }
    }

    async fn create(
        &self,
        reign: &Reign,
        request: RequestId,
        name: Name,
        key: IdempotencyKey,
    ) -> Result<Operated, Refusal> {
        for attempt in 1.. {
            // Its id is not known yet; the key spreads databases over equal servers just as well.
            let spread = DatabaseId(key.0 as u64);
            let chosen = match self.choose(reign, spread, &BTreeSet::new()) {
                Ok(promise) => Some(promise),
                Err(Refusal::NoServer { .. }) => None,
                Err(refusal) => return Err(refusal),
            };
            let owner = chosen.as_ref().map(|promise| promise.tenure);
            let command = Command::CreateDatabase { name: name.clone(), owner, key: Some(key) };
            let proposed = self.propose_because(asked_for(request), command).await?;
            match proposed.outcome {
                Ok(Outcome::Database { database, epoch }) => {
                    if owner.is_some() && epoch == Epoch(1) {
                        meter::assigned(Reason::Created);
                    }
                    // An event tells of it as well; a line for each would cost more than the create.
                    tracing::debug!(%database, %name, "database created");
                    return Ok(self.operated(proposed.revision, Some(database)));
                }
                Err(
                    Rejection::ServerNotUp { .. }
                    | Rejection::ServerUnknown { .. }
                    | Rejection::ServerDraining { .. },
                ) if attempt < CREATE_PLACEMENTS_MAX => {}
                Err(rejection) => return Err(rejection.into()),
                Ok(Outcome::Done | Outcome::Server { .. } | Outcome::Handler { .. }) => {
                    unreachable!("BUG: creating a database gives a database")
                }
            }
        }
        unreachable!("BUG: the last attempt returns")
    }

    /// The database and who has it, as the map stands.
    pub(super) fn held(
        &self,
        database: &DatabaseRef,
    ) -> Result<(DatabaseId, Epoch, Option<Tenure>), Refusal> {
        self.view.read(|state| {
            let id = resolve(state, database)?;
            let epoch = state.fleet().database(id).expect("BUG: resolved above").epoch;
            Ok((id, epoch, state.fleet().owner(id).map(|(tenure, _)| tenure)))
        })
    }

    async fn drop_database(
        self: &Arc<Self>,
        reign: &Arc<Reign>,
        request: RequestId,
        database: &DatabaseRef,
    ) -> Result<Operated, Refusal> {
        let (id, epoch, owner) = self.held(database)?;
        // The owner gets a moment to let its clients go before the journal is purged.
        let until = Instant::now() + RELEASE_TIMEOUT;
        reign.state(|state| state.cleanup.hold(id, until));
        let dropped = self.change(request, Command::DropDatabase { database: id }, None).await;
        self.unload(reign, id, epoch);
        let (node, reign) = (self.clone(), reign.clone());
        let gone = dropped.is_ok();
        self.tasks.spawn(async move {
            if let Some(owner) = owner.filter(|_| gone)
                && let Err(error) = node.release(request, id, epoch, owner).await
            {
                tracing::warn!(%request, database = %id, %error, "the purge will fence it out");
            }
            reign.state(|state| state.cleanup.resume(id));
        });
        dropped
    }

    /// A server that is up, by name.
    fn server_named(&self, name: &str) -> Result<Tenure, Refusal> {
        self.view.read(|state| {
            let known = state.fleet().server_named(name);
            let (server, record) =
                known.ok_or_else(|| Refusal::ServerNameUnknown { name: shortened(name) })?;
            let incarnation = record.incarnation;
            match record.state {
                ServerState::Up | ServerState::Draining => Ok(Tenure { server, incarnation }),
                ServerState::Down => Err(Rejection::ServerNotUp { server, incarnation }.into()),
            }
        })
    }

    /// A server that may be given databases, by name.
    fn taker_named(&self, name: &str) -> Result<Tenure, Refusal> {
        let tenure = self.server_named(name)?;
        if self.drains(tenure) {
            return Err(Rejection::ServerDraining { server: tenure.server }.into());
        }
        Ok(tenure)
    }
}

/// Refuses what is for the command line alone.
fn operators_only(role: Role, what: &str) -> Result<(), Refusal> {
    match role {
        Role::Operator => Ok(()),
        Role::Controller | Role::Handler | Role::Server => {
            let reason =
                format!("only the command line `stationmaster`, with the fleet's secret, may {what}");
            Err(Refusal::NotAllowed { reason })
        }
    }
}

/// An operator's word, or a client's statement.
fn asked_for(request: RequestId) -> Why {
    Why::new(Cause::Operator, format!("request {request}"))
}
