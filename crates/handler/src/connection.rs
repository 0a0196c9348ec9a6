//! One connection from its first byte to its last.

use std::sync::Arc;

use model::RequestId;
use rand::Rng;
use rpc::ByteStream;
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use tracing::debug;
use wire::{
    backend::{self, TransactionStatus},
    startup::CancelKey,
};

use crate::{
    admin::{Asker, greeting},
    answering::{Answering, Stopped},
    cancel::Key,
    clients, console as consoles,
    directives::{self, Mailbox},
    failure::{self, Failure},
    handler::Handler,
    link::Link,
    local::{Local, Scope},
    login::{self, Ended, Login},
    metrics::{self, InStage, Stage},
    session,
    sessions::{Entry, Handle, Order, Who},
};

/// The database that is the admin console.
pub(crate) const CONSOLE: &str = "stationmaster";

/// A client that is let in.
pub(crate) struct Client {
    pub(crate) link: Link,
    pub(crate) peer: String,
    pub(crate) login: Login,
    pub(crate) entry: Entry,
    pub(crate) stage: InStage,
}

impl Client {
    /// Where it is, by what it says of itself and by its address.
    pub(crate) fn location(&self, handler: &Handler) -> Arc<str> {
        let announced =
            self.entry.handle.mailbox().and_then(|mailbox| mailbox.announcement().location.as_deref());
        let said = clients::Said { announced, application: self.login.application() };
        handler.locations.of(&self.peer, said)
    }
}

/// How a session ends.
#[derive(Debug)]
pub(crate) enum End {
    /// The client has gone, or knows.
    Quietly,
    /// The client is told why.
    Because(Failure),
}

/// Serves one connection. `seat` is its place among those that have not authenticated.
pub(crate) async fn serve(
    handler: Arc<Handler>,
    stream: Box<dyn ByteStream>,
    peer: String,
    seat: OwnedSemaphorePermit,
) {
    let stage = InStage::new(Stage::Starting);
    let mut link = Link::new(stream);
    let limit = handler.settings.authentication_timeout;
    let logged_in = tokio::select! {
        logged_in = timeout(limit, login::log_in(&handler, &mut link, &peer)) => {
            logged_in.unwrap_or_else(|_| Err(Ended::Because(failure::too_slow())))
        }
        () = handler.host.shutdown.cancelled() => Err(Ended::Because(failure::shutting_down())),
    };
    let login = match logged_in {
        Ok(login) => login,
        Err(Ended::Silently) => return,
        Err(Ended::Because(reason)) => return refuse(link, &peer, &reason).await,
    };
    drop(seat);
    if let Some(failure) = consoles::refuses(&handler, &login.database) {
        return refuse(link, &peer, &failure).await;
    }
    let Some(_room) = handler.room() else {
        return refuse(link, &peer, &failure::too_many("sessions", handler.settings.sessions_max)).await;
    };
    let who = Who {
        user: login.user.clone(),
        database: login.database.clone(),
        application: login.application().to_owned(),
    };
    let entry = handler.sessions.enter(who, || Key::random(handler.own.id(), &mut rand::rng()));
    if handler.host.shutdown.is_cancelled() {
        entry.handle.tell(Order::Drain);
    }
    let alone = hear(&handler, &login, &entry.handle);
    let mut client = Client { link, peer, login, entry, stage };
    let end = if client.login.database == CONSOLE {
        client.stage.to(Stage::Admin);
        console(&handler, &mut client, Scope::Console).await
    } else if alone {
        // No server is needed: it works while the database has none.
        client.stage.to(Stage::Serving);
        console(&handler, &mut client, Scope::Session).await
    } else {
        session::run(&handler, &mut client).await
    };
    match end {
        End::Quietly => {
            if let Err(error) = client.link.flush().await {
                debug!(%error, "the client went away first");
            }
        }
        End::Because(reason) => refuse(client.link, &client.peer, &reason).await,
    }
}

/// Takes in what the client said of directives when it connected. Whether the connection is for nothing else.
fn hear(handler: &Handler, login: &Login, handle: &Arc<Handle>) -> bool {
    match directives::announced(&login.parameters()) {
        None => false,
        Some(Ok((announcement, alone))) => {
            let mailbox = Mailbox::new(announcement, &login.database, &login.user, login.application());
            handler.board.announce(handle, mailbox);
            alone
        }
        // Treated as one that did not announce itself.
        Some(Err(refusal)) => {
            debug!(%refusal, "announcement refused");
            metrics::directive_misread(&refusal);
            false
        }
    }
}

/// Tells a client why it must go.
async fn refuse(mut link: Link, peer: &str, reason: &Failure) {
    debug!(peer, sqlstate = %reason.code, reason = reason.message, detail = reason.detail, "session ends");
    metrics::refused(reason.code);
    reason.fatal(&mut link.outbox);
    link.farewell().await;
}

/// The admin console, or a connection for directives alone: everything is answered here.
async fn console(handler: &Handler, client: &mut Client, scope: Scope) -> End {
    let Client { link, login, entry, .. } = client;
    if let Err(error) = greeting(&mut link.outbox, &login.user).and_then(|()| ready(link, login, entry.key)) {
        return End::Because(Failure::from(&error));
    }
    let asker = Asker {
        request: RequestId(rand::rng().random()),
        user: &login.user,
        database: &login.database,
        process_id: entry.key.process_id,
        application: login.application(),
        key: login.key,
    };
    let mut answering = Answering { handler, asker, link, handle: &entry.handle, hears: true };
    match answering.run(&mut Local::new(scope), true).await {
        Stopped::Over | Stopped::Gone => End::Quietly,
        Stopped::Broken(error) => End::Because(Failure::from(&error)),
        Stopped::Ordered => End::Because(failure::shutting_down()),
    }
}

/// The end of a greeting: the key for canceling, and that we are ready.
pub(crate) fn ready(link: &mut Link, login: &Login, key: Key) -> Result<(), wire::Error> {
    let cancel = CancelKey { process_id: key.process_id, secret: &key.secret };
    backend::backend_key_data(&mut link.outbox, login.minor, cancel)?;
    backend::ready_for_query(&mut link.outbox, TransactionStatus::Idle);
    Ok(())
}
