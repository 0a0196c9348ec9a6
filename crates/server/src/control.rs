//! The control port: what controllers and operators ask of this server.

use std::{sync::Arc, time::Duration};

use conditions::{Filter, Raised, Scope};
use model::{Incarnation, Name};
use rpc::{
    ByteStream, Secret, Service,
    environment::{BadWish, ClientTold, ConditionInfo, EnvironmentApi, Watching},
    handshake::Role,
    server::{
        ForkRequest, Forked, LoadRequest, Loaded, PurgeRequest, ReleaseRequest, ServerApi, ServerRefusal,
        ServerStatus,
    },
    tarpc::context::Context,
};
use tracing::Instrument;

use crate::{
    environment::Environment,
    life::Life,
    residency::Residents,
    session::{Front, Roster},
};

/// Answers calls.
#[derive(Clone)]
pub struct Control {
    pub name: Name,
    pub life: Life,
    pub front: Arc<Front>,
}

/// Serves one connection until it ends.
pub async fn serve(control: Control, mut stream: Box<dyn ByteStream>, peer: String, secret: Secret) {
    match rpc::accept(&mut stream, &secret, &[Service::Server, Service::Environment]).await {
        Ok((Service::Environment, Role::Controller | Role::Operator)) => {
            let (environment, roster) = (control.front.environment.clone(), control.front.roster.clone());
            rpc::serve!(stream, Watched { environment, roster }.serve());
        }
        Ok((_, Role::Controller | Role::Operator)) => rpc::serve!(stream, control.serve()),
        Ok((_, role @ (Role::Handler | Role::Server))) => {
            tracing::warn!(peer, ?role, "refused on the control port: not its business");
        }
        Err(error) => tracing::info!(peer, reason = crate::chain(&error), "refused on the control port"),
    }
}

impl Control {
    /// The databases, if this server is in the life that is meant.
    fn residents(&self, meant: Option<Incarnation>) -> Result<&Residents, ServerRefusal> {
        let not_yet = || ServerRefusal::NotServing { reason: "it is not registered yet".into() };
        let lived = self.life.now().ok_or_else(not_yet)?;
        match meant {
            Some(meant) if meant != lived.incarnation => {
                Err(ServerRefusal::AnotherLife { incarnation: lived.incarnation })
            }
            Some(_) | None => self.front.residents.get().ok_or_else(not_yet),
        }
    }
}

impl ServerApi for Control {
    async fn load(self, _: Context, request: LoadRequest) -> Result<Loaded, ServerRefusal> {
        let LoadRequest { request, incarnation, database, epoch, .. } = request;
        let span = tracing::info_span!("load", %database, %epoch, %request);
        let residents = self.residents(Some(incarnation))?;
        async {
            let loaded = residents.load(database, epoch).await;
            match &loaded {
                Ok(Loaded { already: false, took_us }) => tracing::info!(took_us, "loaded"),
                Ok(Loaded { already: true, .. }) => tracing::debug!("loaded already"),
                Err(refusal) => tracing::warn!(%refusal, "not loaded"),
            }
            loaded
        }
        .instrument(span)
        .await
    }

    async fn release(self, _: Context, request: ReleaseRequest) -> Result<(), ServerRefusal> {
        let ReleaseRequest { request, incarnation, database, epoch, patience_ms } = request;
        let span = tracing::info_span!("release", %database, %epoch, %request);
        let patience = Duration::from_millis(patience_ms.into());
        self.residents(Some(incarnation))?.release(database, epoch, patience).instrument(span).await;
        Ok(())
    }

    async fn fork(self, _: Context, request: ForkRequest) -> Result<Forked, ServerRefusal> {
        let ForkRequest { request, fleet, database, fork } = request;
        let world = self.residents(None)?.world();
        if fleet != world.store.fleet() {
            let reason = format!("fleet {fleet} is not this server's");
            return Err(ServerRefusal::Failed { database, reason });
        }
        let span = tracing::info_span!("fork", %database, parent = %fork.parent, %request);
        world.fork(database, fork).instrument(span).await
    }

    async fn purge(self, _: Context, request: PurgeRequest) -> Result<(), ServerRefusal> {
        let PurgeRequest { request, fleet, database, epoch, parent } = request;
        let residents = self.residents(None)?;
        let world = residents.world();
        let failed = |reason| ServerRefusal::Failed { database, reason };
        if fleet != world.store.fleet() {
            return Err(failed(format!("fleet {fleet} is not this server's")));
        }
        residents.release(database, epoch, Duration::ZERO).await;
        world
            .store
            .drop_database(database, epoch, (world.clock)())
            .await
            .map_err(|error| failed(crate::chain(&error)))?;
        if let Some(parent) = parent {
            let unforked = world.store.unfork(parent, database, (world.clock)()).await;
            unforked.map_err(|error| failed(crate::chain(&error)))?;
        }
        tracing::info!(%database, %epoch, %request, "purged");
        Ok(())
    }

    async fn status(self, _: Context) -> ServerStatus {
        let databases = self.front.residents.get().map(Residents::list).unwrap_or_default();
        let incarnation = self.life.now().map_or(Incarnation(0), |lived| lived.incarnation);
        ServerStatus { name: self.name, incarnation, databases }
    }
}

/// Tells of a server's environment.
#[derive(Clone)]
struct Watched {
    environment: Environment,
    roster: Roster,
}

impl Watched {
    fn now(&self) -> Watching {
        let (filter, passage) = self.environment.passage();
        Watching {
            conditions: self.environment.raised().into_iter().map(info).collect(),
            filter: filter.to_string(),
            seen: passage.seen,
            passed: passage.passed,
            dropped: passage.dropped,
            absent: self.environment.absent().into_iter().map(str::to_owned).collect(),
        }
    }
}

impl EnvironmentApi for Watched {
    async fn watching(self, _: Context) -> Watching {
        self.now()
    }

    async fn set_filter(self, _: Context, filter: String) -> Result<Watching, BadWish> {
        let filter: Filter = filter.parse().map_err(bad_wish)?;
        self.environment.set_filter(filter);
        Ok(self.now())
    }

    async fn reload_rules(self, _: Context) -> Result<Watching, BadWish> {
        self.environment.reload().map_err(bad_wish)?;
        Ok(self.now())
    }

    async fn told(self, _: Context, within_ms: u64) -> Vec<ClientTold> {
        self.roster.reports().told(Duration::from_millis(within_ms), tokio::time::Instant::now())
    }
}

fn bad_wish(error: impl std::fmt::Display) -> BadWish {
    BadWish { reason: error.to_string() }
}

fn info(raised: Raised) -> ConditionInfo {
    let raised_for = tokio::time::Instant::now().into_std().saturating_duration_since(raised.since);
    ConditionInfo {
        condition: raised.kind.to_string(),
        database: match raised.scope {
            Scope::Server => None,
            Scope::Database(database) => Some(database),
        },
        raised_ms: u64::try_from(raised_for.as_millis()).unwrap_or(u64::MAX),
        evidence: raised.evidence,
        declared: raised.declared,
        actions: raised.actions.iter().map(|action| action.name().to_owned()).collect(),
        dry_run: raised.dry_run,
    }
}
