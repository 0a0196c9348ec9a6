//! Starting a handler, taking connections, and ending it.

use std::sync::Arc;

use model::HandlerId;
use rpc::{Advice, Controllers, Host, Listen, Readiness, handshake::Role};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{info, warn};

use crate::{
    Error, Settings, clients,
    directives::{probe, report},
    door::Door,
    fleet::{Own, Watch},
    handler::Handler,
    limits::{CONTROLLERS_PAUSE, FAREWELL_TIMEOUT},
    metrics,
    sessions::Order,
    threads::Threads,
};

/// Runs a handler until `host.shutdown`. It registers, follows the map, and serves the connections of `listener`.
///
/// On shutdown it takes no more connections, ends idle sessions with 57P01, gives the others the drain time-out to
/// finish what they do, and returns.
///
/// # Errors
/// [`Error::Register`] when no controller will ever take it. Controllers that cannot be reached are waited for.
pub async fn run(settings: Settings, host: Host, listener: impl Listen) -> Result<(), Error> {
    metrics::describe();
    let controllers =
        Controllers::new(settings.controllers.clone(), host.dial.clone(), host.secret.clone(), Role::Handler);
    let own = Arc::new(Own::new(&settings));
    let Some(id) = register(&own, &settings, &host, &controllers).await? else { return Ok(()) };
    let (synced, is_synced) = watch::channel(false);
    let handler = Arc::new(Handler::new(settings, host, own.clone(), controllers, is_synced));
    let watch = Watch {
        own,
        controllers: handler.controllers.clone(),
        router: handler.router.clone(),
        users: handler.users.clone(),
        peers: handler.peers.clone(),
        sessions: handler.sessions.clone(),
        board: handler.board.clone(),
        synced,
        ready: handler.host.ready.clone(),
    };
    let end_of_watch = CancellationToken::new();
    let watching = tokio::spawn(watch.run(end_of_watch.clone()));
    let members = handler.controllers.clone();
    tokio::spawn(end_of_watch.clone().run_until_cancelled_owned(async move { members.keep_up().await }));
    let reporting = handler.clone();
    let end = end_of_watch.clone();
    tokio::spawn(end.run_until_cancelled_owned(async move { report(&reporting).await }));
    let probing = handler.clone();
    let end = end_of_watch.clone();
    tokio::spawn(end.run_until_cancelled_owned(async move { probe(&probing).await }));
    let (reporting, end) = (handler.clone(), end_of_watch.clone());
    tokio::spawn(end.run_until_cancelled_owned(async move { clients::report(&reporting).await }));
    info!(handler = %id, name = %handler.settings.name, address = handler.settings.address, "handler started");
    let door = Door::new(handler.clone(), listener);
    let threads = Threads::start(handler.settings.threads, &door);
    if threads.is_empty() {
        door.clone().take_connections().await;
    } else {
        handler.host.shutdown.cancelled().await;
    }
    drain(&handler, &door.connections).await;
    threads.end().await;
    end_of_watch.cancel();
    if let Err(error) = watching.await {
        warn!(%error, "the watch ended badly");
    }
    info!(handler = %id, "handler stopped");
    Ok(())
}

/// Registers; `None` when told to stop before that.
async fn register(
    own: &Own,
    settings: &Settings,
    host: &Host,
    controllers: &Controllers,
) -> Result<Option<HandlerId>, Error> {
    host.ready.send_replace(Readiness::NotReady("not registered with the controllers yet".into()));
    loop {
        let registered = tokio::select! {
            registered = own.register(controllers) => registered,
            () = host.shutdown.cancelled() => return Ok(None),
        };
        match registered {
            Ok(handler) => {
                host.ready.send_replace(Readiness::NotReady("has not read the map yet".into()));
                return Ok(Some(handler));
            }
            Err(error) if is_final(&error) => {
                return Err(Error::Register { name: settings.name.clone(), source: error });
            }
            Err(error) => {
                warn!(%error, "cannot register with the controllers; trying on");
                tokio::select! {
                    () = sleep(CONTROLLERS_PAUSE) => {}
                    () = host.shutdown.cancelled() => return Ok(None),
                }
            }
        }
    }
}

/// Whether trying again is pointless. Nobody answering is not: they may be starting as well.
fn is_final(error: &rpc::Error) -> bool {
    !matches!(error, rpc::Error::NoController { .. }) && error.advice() == Advice::GiveUp
}

async fn drain(handler: &Handler, connections: &TaskTracker) {
    handler.host.ready.send_replace(Readiness::NotReady("shutting down".into()));
    end(handler, connections).await;
}

/// Ends sessions, first those that are idle.
pub(crate) async fn end(handler: &Handler, connections: &TaskTracker) {
    connections.close();
    handler.sessions.tell(Order::Drain);
    let limit = handler.settings.drain_timeout;
    if timeout(limit, connections.wait()).await.is_ok() {
        return;
    }
    warn!(connections = connections.len(), "ending sessions that are still at work");
    handler.sessions.tell(Order::End);
    if timeout(FAREWELL_TIMEOUT * 2, connections.wait()).await.is_err() {
        warn!(connections = connections.len(), "leaving connections behind");
    }
}
