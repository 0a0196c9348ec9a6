//! The task that keeps a handler's picture of the fleet fresh: a long poll on any controller, over and over.
//!
//! It never goes back: an answer from a controller that is behind what was seen already is passed over for another
//! controller's (C16). While no controller can be reached everything stays as it is (S7).

use std::{collections::HashSet, sync::Arc};

use futures::FutureExt;
use model::{Name, Revision};
use rpc::{
    Controllers, Readiness, Refusal,
    controller::{ControllerApiClient, HandlerInfo, Watched, WatchedChange, WatchedChanges},
    directives::DirectiveInfo,
    tarpc::{client::RpcError, context::Context},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Own, Peers, Router, Users};
use crate::{
    directives::Board,
    limits::{CONTROLLERS_PAUSE, WATCH_WAIT},
    sessions::Sessions,
};

/// What the watch keeps fresh.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) own: Arc<Own>,
    pub(crate) controllers: Controllers,
    pub(crate) router: Router,
    pub(crate) users: Arc<Users>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) board: Arc<Board>,
    /// Turns true when everything was read once.
    pub(crate) synced: watch::Sender<bool>,
    pub(crate) ready: watch::Sender<Readiness>,
}

/// One controller's answer, with what had to be asked of the same one: another may be behind.
struct Seen {
    watched: Watched,
    users: Vec<(Name, Option<String>)>,
    /// Present when everything was asked for.
    handlers: Vec<HandlerInfo>,
    /// Present when they may be others than before.
    directives: Option<Vec<DirectiveInfo>>,
}

impl Watch {
    /// Watches until told to stop.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let (mut since, mut registered) = (Revision(0), true);
        loop {
            let step = async {
                match self.ask(since).await {
                    Ok(seen) => {
                        registered &= !self.forgets_us(&seen);
                        since = self.take(seen);
                        registered = registered || self.register_again().await;
                    }
                    Err(error) => {
                        tracing::warn!(error = %error, "cannot watch the controllers; going on with what is known");
                        tokio::time::sleep(CONTROLLERS_PAUSE).await;
                    }
                }
            };
            tokio::select! {
                () = step => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Whether the map is one without this handler: it comes from a backup that was made before.
    fn forgets_us(&self, seen: &Seen) -> bool {
        matches!(seen.watched.changes, WatchedChanges::Reset) && !self.own.is_among(&seen.handlers)
    }

    async fn register_again(&self) -> bool {
        match self.own.register(&self.controllers).await {
            Ok(handler) => {
                tracing::warn!(%handler, "the map did not know this handler any more; registered again");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the map does not know this handler any more; trying on");
                false
            }
        }
    }

    async fn ask(&self, since: Revision) -> Result<Seen, rpc::Error> {
        let at_least = self.router.seen();
        self.controllers
            .leader(move |client, context| ask_one(client, context, since, at_least).boxed())
            .await
    }

    fn take(&self, seen: Seen) -> Revision {
        match &seen.watched.changes {
            WatchedChanges::Reset => {
                self.router.reset();
                let names: HashSet<&str> = seen.users.iter().map(|(name, _)| name.as_str()).collect();
                self.users.retain(|user| names.contains(user));
            }
            WatchedChanges::Since(changes) => changes.iter().for_each(|change| self.router.changed(change)),
        }
        for (name, verifier) in &seen.users {
            self.users.put(name, verifier.as_deref());
        }
        let changed = match seen.watched.changes {
            WatchedChanges::Reset => Vec::new(),
            WatchedChanges::Since(changes) => changes,
        };
        let changed = changed.into_iter().filter_map(|change| match change {
            WatchedChange::Handler(info) => Some(info),
            WatchedChange::Database(_)
            | WatchedChange::DatabaseDropped(_)
            | WatchedChange::User(_)
            | WatchedChange::Directives => None,
            WatchedChange::Server { server, incarnation, state } => {
                self.sessions.server(server, incarnation, state);
                None
            }
        });
        seen.handlers.into_iter().chain(changed).for_each(|info| self.peers.put(info));
        if let Some(directives) = seen.directives {
            self.board.replace(directives);
        }
        self.router.saw(seen.watched.revision);
        self.synced.send_if_modified(|synced| !std::mem::replace(synced, true));
        self.ready.send_if_modified(|ready| std::mem::replace(ready, Readiness::Ready) != Readiness::Ready);
        seen.watched.revision
    }
}

/// Watches at one controller and fetches what the changes only name.
async fn ask_one(
    client: ControllerApiClient,
    context: Context,
    since: Revision,
    at_least: Revision,
) -> Result<Result<Seen, Refusal>, RpcError> {
    let wait_ms = u32::try_from(WATCH_WAIT.as_millis()).expect("BUG: the wait is a few seconds");
    let watched = client.watch(context, since, wait_ms).await?;
    if watched.revision < since.max(at_least) && matches!(watched.changes, WatchedChanges::Reset) {
        let Revision(revision) = watched.revision;
        return Ok(Err(Refusal::Behind { revision, at_least: since.max(at_least).0 }));
    }
    let (names, handlers) = match &watched.changes {
        WatchedChanges::Reset => (client.users(context).await?, client.handlers(context).await?),
        WatchedChanges::Since(changes) => (changed_users(changes), Vec::new()),
    };
    let mut users = Vec::with_capacity(names.len());
    for name in names {
        let verifier = client.verifier(context, name.to_string()).await?;
        users.push((name, verifier));
    }
    let stale = match &watched.changes {
        WatchedChanges::Reset => true,
        WatchedChanges::Since(changes) => {
            changes.iter().any(|change| matches!(change, WatchedChange::Directives))
        }
    };
    let directives = if stale { Some(client.directives(context).await?) } else { None };
    Ok(Ok(Seen { watched, users, handlers, directives }))
}

fn changed_users(changes: &[WatchedChange]) -> Vec<Name> {
    changes
        .iter()
        .filter_map(|change| match change {
            WatchedChange::User(name) => Some(name.clone()),
            WatchedChange::Database(_)
            | WatchedChange::DatabaseDropped(_)
            | WatchedChange::Server { .. }
            | WatchedChange::Handler(_)
            | WatchedChange::Directives => None,
        })
        .collect()
}
