//! Finding the server that serves a database, and opening a session there: asks again when the route turns out to be
//! stale, so that the client notices nothing.

use std::{sync::Arc, time::Duration};

use model::{DatabaseId, RequestId};
use rpc::{
    controller::{DatabaseRef, Route, WhyFailed},
    session,
};
use tokio::time::{Instant, sleep};
use tracing::{debug, info};

use super::{
    Backend, Denied,
    connect::{self, Closed, Opening},
};
use crate::{
    failure,
    fleet::{Failed, RouteError},
    handler::Handler,
    limits::{ATTACH_PAUSE_MAX, ATTACH_PAUSE_MIN},
    metrics,
};

/// What a session says of itself when it asks for a server.
pub(crate) struct Attaching<'a> {
    /// For the logs, here, at the controller and at the server.
    pub(crate) request: RequestId,
    /// The client's user.
    pub(crate) user: &'a str,
    /// The database as the client named it.
    pub(crate) name: &'a str,
    /// The database that the session is on, once it is on one: renaming does not move sessions.
    pub(crate) bound: Option<DatabaseId>,
    /// The client's start-up parameters, without user and database.
    pub(crate) parameters: Vec<(&'a str, &'a str)>,
    /// The route that the session had, if it was lost.
    pub(crate) lost: Option<(Arc<Route>, WhyFailed)>,
}

/// Opens a session on whatever server serves the database.
///
/// # Errors
/// [`Denied`] when there is no such database, when no server can serve it, or none does within the handler's
/// `attach_timeout`.
pub(crate) async fn attach(handler: &Handler, attaching: &Attaching<'_>) -> Result<Backend, Denied> {
    let begun = Instant::now();
    let again = attaching.bound.is_some();
    let mut search = Search::new(attaching);
    let give_up = begun + handler.settings.attach_timeout;
    loop {
        let route = search.route(handler).await?;
        let (why, said) = match open(handler, attaching, &route).await {
            Ok(backend) => {
                let took = begun.elapsed();
                metrics::attached(again, took);
                info!(
                    request = %attaching.request, database = %route.database, epoch = %route.epoch,
                    server = %route.owner.server, ms = took.as_millis(), again, "session attached"
                );
                return Ok(backend);
            }
            Err(Closed::Told(frame)) => return Err(Denied::Told(frame)),
            Err(Closed::Impossible(failure)) => return Err(Denied::Failure(failure)),
            Err(Closed::NotNow(said)) => (WhyFailed::Refused, said),
            Err(Closed::Unreachable(said)) => (WhyFailed::Unreachable, said),
        };
        debug!(
            request = %attaching.request, database = %route.database, epoch = %route.epoch,
            address = %route.address, ?why, said, "route did not work"
        );
        metrics::route_failed(match why {
            WhyFailed::Refused => "refused",
            WhyFailed::Unreachable => "unreachable",
        });
        if Instant::now() >= give_up {
            let seconds = handler.settings.attach_timeout.as_secs();
            return Err(Denied::Failure(failure::not_served(attaching.name, seconds, &said)));
        }
        search.failed(&route, why).await;
    }
}

async fn open(handler: &Handler, attaching: &Attaching<'_>, route: &Arc<Route>) -> Result<Backend, Closed> {
    let (epoch, request) = (route.epoch.to_string(), attaching.request.to_string());
    let ours = [
        (session::PARAM_USER, attaching.user),
        (session::PARAM_EPOCH, epoch.as_str()),
        (session::PARAM_NAME, route.name.as_str()),
        (session::PARAM_REQUEST, request.as_str()),
    ];
    let opening = Opening {
        dial: &*handler.host.dial,
        secret: &handler.host.secret,
        keys: &handler.login_keys,
        parameters: ours.into_iter().chain(attaching.parameters.iter().copied()).collect(),
    };
    connect::open(&opening, route).await
}

/// A search for a route that works.
struct Search<'a> {
    attaching: &'a Attaching<'a>,
    database: DatabaseRef,
    failed: Option<Failed>,
    pause: Duration,
    /// The same route has failed before.
    repeated: bool,
}

impl<'a> Search<'a> {
    fn new(attaching: &'a Attaching<'a>) -> Self {
        let named = || DatabaseRef::parse(attaching.name);
        Self {
            attaching,
            database: attaching.bound.map_or_else(named, DatabaseRef::Id),
            failed: attaching.lost.as_ref().map(|(route, why)| Failed::on(route, *why)),
            pause: ATTACH_PAUSE_MIN,
            repeated: false,
        }
    }

    async fn route(&mut self, handler: &Handler) -> Result<Arc<Route>, Denied> {
        let name = self.attaching.name;
        match handler.router.route(self.attaching.request, &self.database, self.failed).await {
            Err(error) if self.may_have_another_meaning() && is_unknown(&error) => {
                // The database that the name stood for is gone: whatever has the name now is meant.
                self.database = DatabaseRef::parse(name);
                self.failed = None;
                let asked = handler.router.route(self.attaching.request, &self.database, None).await;
                asked.map_err(|error| Denied::Failure(failure::no_route(name, &error)))
            }
            answer => answer.map_err(|error| Denied::Failure(failure::no_route(name, &error))),
        }
    }

    /// Whether the session is on no database yet, but the search has turned from its name to an id.
    fn may_have_another_meaning(&self) -> bool {
        self.attaching.bound.is_none()
            && matches!(self.database, DatabaseRef::Id(_))
            && self.database != DatabaseRef::parse(self.attaching.name)
    }

    /// This route did not work. Waits when it is not the first time, so that nobody is hammered.
    async fn failed(&mut self, route: &Route, why: WhyFailed) {
        self.database = DatabaseRef::Id(route.database);
        self.failed = Some(Failed::on(route, why));
        if std::mem::replace(&mut self.repeated, true) {
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(ATTACH_PAUSE_MAX);
        }
    }
}

fn is_unknown(error: &RouteError) -> bool {
    matches!(
        &**error,
        rpc::Error::Refused(
            rpc::Refusal::DatabaseNameUnknown { .. }
                | rpc::Refusal::Rejected(model::Rejection::DatabaseUnknown { .. })
        )
    )
}
