//! Starting a handler, taking connections, and ending it.

use std::sync::Arc;

use futures::FutureExt;
use model::HandlerId;
use rpc::{Advice, ByteStream, Controllers, Host, Listen, Readiness, handshake::Role};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, info, info_span, warn};

use crate::{
    Error, Settings, connection, failure,
    fleet::Watch,
    handler::Handler,
    limits::{ACCEPT_PAUSE, CONTROLLERS_PAUSE},
    link::Link,
    metrics,
    sessions::Order,
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
    let Some(id) = register(&settings, &host, &controllers).await? else { return Ok(()) };
    let (synced, is_synced) = watch::channel(false);
    let handler = Arc::new(Handler::new(settings, host, id, controllers, is_synced));
    let watch = Watch {
        controllers: handler.controllers.clone(),
        router: handler.router.clone(),
        users: handler.users.clone(),
        peers: handler.peers.clone(),
        synced,
        ready: handler.host.ready.clone(),
    };
    let end_of_watch = CancellationToken::new();
    let watching = tokio::spawn(watch.run(end_of_watch.clone()));
    info!(handler = %id, name = %handler.settings.name, address = handler.settings.address, "handler started");
    let connections = TaskTracker::new();
    accept(&handler, listener, &connections).await;
    drain(&handler, connections).await;
    end_of_watch.cancel();
    if let Err(error) = watching.await {
        warn!(%error, "the watch ended badly");
    }
    info!(handler = %id, "handler stopped");
    Ok(())
}

/// Registers; `None` when told to stop before that.
async fn register(
    settings: &Settings,
    host: &Host,
    controllers: &Controllers,
) -> Result<Option<HandlerId>, Error> {
    host.ready.send_replace(Readiness::NotReady("not registered with the controllers yet".into()));
    loop {
        let (name, address) = (settings.name.clone(), settings.address.clone());
        let location = settings.location.clone();
        let registering = controllers.leader(move |client, context| {
            let (name, address, location) = (name.clone(), address.clone(), location.clone());
            async move { client.register_handler(context, name, address, location).await }.boxed()
        });
        let registered = tokio::select! {
            registered = registering => registered,
            () = host.shutdown.cancelled() => return Ok(None),
        };
        match registered {
            Ok(registered) => {
                host.ready.send_replace(Readiness::NotReady("has not read the map yet".into()));
                return Ok(Some(registered.handler));
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

async fn accept(handler: &Arc<Handler>, mut listener: impl Listen, connections: &TaskTracker) {
    let unauthenticated_max = handler.settings.unauthenticated_max.clamp(1, Semaphore::MAX_PERMITS);
    let waiting_room = Arc::new(Semaphore::new(unauthenticated_max));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = handler.host.shutdown.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => take(handler, stream, peer, &waiting_room, connections),
            Err(error) => {
                warn!(%error, "cannot take a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn take(
    handler: &Arc<Handler>,
    stream: Box<dyn ByteStream>,
    peer: String,
    waiting_room: &Arc<Semaphore>,
    connections: &TaskTracker,
) {
    let seat: Option<OwnedSemaphorePermit> = waiting_room.clone().try_acquire_owned().ok();
    let Some(seat) = seat else {
        let failure =
            failure::too_many("connections that have not authenticated", waiting_room_size(handler));
        metrics::refused(failure.code);
        let mut link = Link::new(stream);
        failure.fatal(&mut link.outbox);
        // At once or not at all: nothing is held for it.
        let sent = link.flush().now_or_never();
        tracing::debug!(peer, sent = sent.is_some(), "connection refused");
        return;
    };
    let span = info_span!("connection", %peer);
    connections.spawn(connection::serve(handler.clone(), stream, peer, seat).instrument(span));
}

fn waiting_room_size(handler: &Handler) -> usize {
    handler.settings.unauthenticated_max
}

async fn drain(handler: &Arc<Handler>, connections: TaskTracker) {
    handler.host.ready.send_replace(Readiness::NotReady("shutting down".into()));
    connections.close();
    handler.sessions.tell(Order::Drain);
    let limit = handler.settings.drain_timeout;
    if tokio::time::timeout(limit, connections.wait()).await.is_ok() {
        return;
    }
    warn!(connections = connections.len(), "ending sessions that are still at work");
    handler.sessions.tell(Order::End);
    if tokio::time::timeout(crate::limits::FAREWELL_TIMEOUT * 2, connections.wait()).await.is_err() {
        warn!(connections = connections.len(), "leaving connections behind");
    }
}
