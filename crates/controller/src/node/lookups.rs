//! Answers from the map, changing nothing.

use std::sync::Arc;

use model::{Change, DatabaseId, Digest, Name, Revision, Tenure};
use rpc::{
    Refusal,
    controller::{
        Consistency, DatabaseInfo, DatabasePage, HandlerInfo, HeartbeatSeen, LookUp, Owner, ServerInfo,
        WatchedChange,
    },
    limits::PAGE_MAX,
};
use sabotage::Sabotage;
use tokio::time::Instant;

use super::{Node, resolve, standing::millis};
use crate::{fault, machine::State};

impl Node {
    /// Where a database is.
    ///
    /// # Errors
    /// It does not exist, or the map here is not fresh enough.
    pub async fn look_up(self: &Arc<Self>, request: LookUp) -> Result<DatabaseInfo, Refusal> {
        match request.consistency {
            Consistency::AtLeast(revision) => self.at_least(revision).await?,
            Consistency::Linearizable
                if fault::planted(&self.settings.data_dir, "no read index")
                    || sabotage::is(Sabotage::ReadIndex) =>
            {
                self.reign().map(drop)?;
            }
            Consistency::Linearizable => self.read_index().await?,
        }
        self.view.read(|state| {
            let id = resolve(state, &request.database)?;
            info(state, id).ok_or_else(|| model::Rejection::DatabaseUnknown { database: id }.into())
        })
    }

    /// A page of databases by name.
    pub fn databases(&self, after: Option<&Name>, limit: u32) -> DatabasePage {
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        self.view.read(|state| {
            let ids = state.fleet().databases_after(after).map(|(id, _)| id);
            let mut databases: Vec<DatabaseInfo> =
                ids.take(limit + 1).filter_map(|id| info(state, id)).collect();
            let more = databases.len() > limit;
            databases.truncate(limit);
            DatabasePage { databases, more, total: state.fleet().databases_len() as u64 }
        })
    }

    /// All servers.
    pub fn servers(&self) -> Vec<ServerInfo> {
        let reign = self.reign_if_any();
        let now = Instant::now();
        let seen = |tenure| {
            let seen = reign.as_ref()?.state(|state| state.liveness.seen(tenure))?;
            let ms_ago = millis(now.saturating_duration_since(seen.at));
            Some(HeartbeatSeen { ms_ago, load: seen.load })
        };
        self.view.read(|state| {
            let servers = state.fleet().servers();
            servers
                .map(|(id, server)| {
                    let tenure = Tenure { server: id, incarnation: server.incarnation };
                    let up = server.state.is_alive();
                    ServerInfo {
                        server: id,
                        name: server.name.clone(),
                        data_address: server.data_address.clone(),
                        control_address: server.control_address.clone(),
                        location: server.location.clone(),
                        capacity: server.capacity,
                        incarnation: server.incarnation,
                        state: server.state,
                        databases: if up { state.tally().owned(tenure) } else { 0 },
                        heartbeat: seen(tenure),
                    }
                })
                .collect()
        })
    }

    /// All handlers.
    pub fn handlers(&self) -> Vec<HandlerInfo> {
        self.view.read(|state| {
            let ids = state.fleet().handlers().map(|(id, _)| id);
            ids.filter_map(|id| handler(state, id)).collect()
        })
    }

    /// A user's verifier.
    pub fn verifier(&self, user: &str) -> Option<String> {
        self.view.read(|state| state.fleet().user(user).map(|user| user.verifier.clone()))
    }

    /// The names of all users.
    pub fn users(&self) -> Vec<Name> {
        self.view.read(|state| state.fleet().users().map(|(name, _)| name.clone()).collect())
    }

    /// The fingerprint of the map. Walks all of it, off the async threads.
    pub async fn digest(&self) -> Digest {
        let fleet = self.view.read(|state| state.fleet().clone());
        let again = fleet.clone();
        match self.calculator.call(move |()| fleet.digest()).await {
            Ok(digest) => digest,
            Err(gone) => {
                tracing::error!(%gone, "computing the digest here instead");
                again.digest()
            }
        }
    }
}

/// A database as it is now.
pub(super) fn info(state: &State, id: DatabaseId) -> Option<DatabaseInfo> {
    let fleet = state.fleet();
    let database = fleet.database(id)?;
    let owner = fleet.owner(id).map(|(tenure, server)| Owner {
        tenure,
        server: server.name.clone(),
        address: server.data_address.clone(),
    });
    Some(DatabaseInfo {
        database: id,
        name: database.name.clone(),
        epoch: database.epoch,
        owner,
        options: fleet.database_options(id),
        revision: fleet.revision(),
    })
}

fn handler(state: &State, id: model::HandlerId) -> Option<HandlerInfo> {
    let handler = state.fleet().handlers().find(|(other, _)| *other == id)?.1;
    Some(HandlerInfo {
        handler: id,
        name: handler.name.clone(),
        address: handler.address.clone(),
        location: handler.location.clone(),
    })
}

/// What a watcher is told about a change: the state now.
pub(super) fn shown(state: &State, change: &Change) -> Option<WatchedChange> {
    match change {
        Change::Database(id) => Some(match info(state, *id) {
            Some(info) => WatchedChange::Database(info),
            None => WatchedChange::DatabaseDropped(*id),
        }),
        Change::Server(id) => {
            let server = state.fleet().server(*id)?;
            Some(WatchedChange::Server { server: *id, incarnation: server.incarnation, state: server.state })
        }
        Change::Handler(id) => handler(state, *id).map(WatchedChange::Handler),
        Change::User(name) => Some(WatchedChange::User(name.clone())),
        Change::Directives => Some(WatchedChange::Directives),
    }
}

/// The map's revision.
pub(super) fn revision(state: &State) -> Revision {
    state.fleet().revision()
}
