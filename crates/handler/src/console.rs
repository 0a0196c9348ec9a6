//! A console alone, beside a server or a controller (R93): what the database `stationmaster` is on a handler, at another
//! process's address.
//!
//! The statements, the log-in and the signatures are the handler's own. What it leaves out: it is not in the map, takes no
//! session on any other database, and follows no watch. A user's verifier is asked for when the user logs in, so that a
//! thousand servers with a console cost the controllers nothing while nobody uses them.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use rpc::{Controllers, Host, Listen, controller::ControllerApiClient, handshake::Role};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::scram::Verifier;

use crate::{
    Settings, connection::CONSOLE, door::Door, failure, failure::Failure, fleet::Own, handler::Handler,
    run::end,
};

/// Sessions of a console at a time, and connections that have not authenticated.
const SESSIONS_MAX: usize = 64;

/// Serves a console until `host.shutdown`. `host.ready` is not touched: it is the other role's.
pub async fn run(settings: Settings, host: Host, listener: impl Listen) {
    let settings = Settings { sessions_max: SESSIONS_MAX, unauthenticated_max: SESSIONS_MAX, ..settings };
    let controllers =
        Controllers::new(settings.controllers.clone(), host.dial.clone(), host.secret.clone(), Role::Handler);
    let own = Arc::new(Own::new(&settings));
    // Nothing has to be read before.
    let (_read, is_synced) = watch::channel(true);
    let handler = Arc::new(Handler::console(settings, host, own, controllers, is_synced));
    let end_of_list = CancellationToken::new();
    let members = handler.controllers.clone();
    tokio::spawn(end_of_list.clone().run_until_cancelled_owned(async move { members.keep_up().await }));
    let door = Door::new(handler.clone(), listener);
    door.clone().take_connections().await;
    end(&handler, &door.connections).await;
    end_of_list.cancel();
}

/// The verifier that a user has to satisfy here.
///
/// # Errors
/// What the client is told when no controller says.
pub(crate) async fn verifier(handler: &Handler, user: &str) -> Result<Verifier, Failure> {
    if handler.is_console {
        let told = ask(handler.controllers.clone(), user.to_owned()).await;
        let told = told.map_err(|error| {
            tracing::warn!(%error, "no controller tells how users prove themselves");
            failure::nobody_tells()
        })?;
        handler.users.put(user, told.as_deref());
    }
    Ok(handler.users.verifier(user))
}

fn ask(controllers: Controllers, user: String) -> BoxFuture<'static, Result<Option<String>, rpc::Error>> {
    let call = move |client: ControllerApiClient, context| {
        let user = user.clone();
        async move { client.verifier(context, user).await }.boxed()
    };
    async move { controllers.any(call).await }.boxed()
}

/// Why there is no session on this database, if there is none.
pub(crate) fn refuses(handler: &Handler, database: &str) -> Option<Failure> {
    (handler.is_console && database != CONSOLE).then(|| failure::console_only(database))
}
