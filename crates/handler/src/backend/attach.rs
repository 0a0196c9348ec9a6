//! Finding the server that serves a database, and opening a session there: asks again when the route turns out to be
//! stale, so that the client notices nothing.

use std::{sync::Arc, time::Duration};

use model::{DatabaseId, RequestId, SessionId};
use rpc::{
    controller::{DatabaseRef, Route, WhyFailed},
    session,
};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, info};
use wire::sqlstate;

use super::{
    Backend, Denied,
    connect::{self, Closed, Opening},
};
use crate::{
    failure::{self, Failure},
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
    /// Who asks, so that nothing is done twice.
    pub(crate) identity: Identity,
}

/// A client's session as servers know it, see `rpc::session`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    pub(crate) session: SessionId,
    /// The number of the first request on the connection.
    pub(crate) number: u64,
    /// The numbers of the requests to be settled, first and last.
    pub(crate) settle: Option<(u64, u64)>,
    /// A position told before those were sent.
    pub(crate) begun: Option<u64>,
}

impl Identity {
    /// The start-up parameters that say so.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = vec![
            (session::PARAM_SESSION, self.session.to_string()),
            (session::PARAM_NUMBER, self.number.to_string()),
        ];
        if let Some(begun) = self.begun {
            parameters.push((session::PARAM_BEGUN, begun.to_string()));
        }
        if let Some((first, last)) = self.settle {
            let last = last.min(first + session::SETTLE_MAX - 1);
            parameters.push((session::PARAM_SETTLE, format!("{first}-{last}")));
        }
        parameters
    }
}

/// Opens a session on whatever server serves the database. Of the handler's sessions each server opens a few at once,
/// and the map's news ends every wait along a route that it makes void.
///
/// # Errors
/// [`Denied`] when there is no such database, when no server can serve it, or none does within the handler's
/// `attach_timeout`. A session that has been served before waits for a server that may yet come; a new one does not.
pub(crate) async fn attach(handler: &Handler, attaching: &Attaching<'_>) -> Result<Backend, Denied> {
    let begun = Instant::now();
    let again = attaching.bound.is_some();
    let mut search = Search::new(attaching, begun + handler.settings.attach_timeout);
    loop {
        let route = search.route(handler).await?;
        let opened = tokio::select! {
            biased;
            opened = timeout_at(search.give_up, open(handler, attaching, &route)) => {
                opened.unwrap_or_else(|_| Err(Closed::NotNow("it took too long to answer".into())))
            }
            () = handler.router.void(&route) => Err(Closed::NotNow("the database went elsewhere".into())),
        };
        let (why, said) = match opened {
            Ok(backend) => {
                let took = begun.elapsed();
                metrics::attached(again, took);
                info!(
                    request = %attaching.request, database = %route.database, epoch = %route.epoch,
                    server = %route.owner.server, ms = took.as_millis(), again,
                    settled = backend.told.settled.len(), "session attached"
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
        search.failed(handler, &route, why, said).await?;
    }
}

async fn open(handler: &Handler, attaching: &Attaching<'_>, route: &Arc<Route>) -> Result<Backend, Closed> {
    let (epoch, request) = (route.epoch.to_string(), attaching.request.to_string());
    let ours = [
        (session::PARAM_USER, attaching.user),
        (session::PARAM_EPOCH, epoch.as_str()),
        (session::PARAM_NAME, route.name.as_str()),
        (session::PARAM_REQUEST, request.as_str()),
        (session::PARAM_HANDLER, handler.settings.name.as_str()),
    ];
    let identity = attaching.identity.parameters();
    let identity = identity.iter().map(|(name, value)| (*name, value.as_str()));
    let opening = Opening {
        dial: &*handler.host.dial,
        secret: &handler.host.secret,
        keys: &handler.login_keys,
        parameters: ours.into_iter().chain(identity).chain(attaching.parameters.iter().copied()).collect(),
    };
    let _turn = handler.turns.take(&route.address).await;
    connect::open(&opening, route).await
}

/// A search for a route that works.
struct Search<'a> {
    attaching: &'a Attaching<'a>,
    database: DatabaseRef,
    failed: Option<Failed>,
    pause: Duration,
    give_up: Instant,
    /// The same route has failed before.
    repeated: bool,
    /// What the last try came to.
    last: String,
}

impl<'a> Search<'a> {
    fn new(attaching: &'a Attaching<'a>, give_up: Instant) -> Self {
        let named = || DatabaseRef::parse(attaching.name);
        Self {
            attaching,
            database: attaching.bound.map_or_else(named, DatabaseRef::Id),
            failed: attaching.lost.as_ref().map(|(route, why)| Failed::on(route, *why)),
            pause: ATTACH_PAUSE_MIN,
            give_up,
            repeated: false,
            last: "no controller has said in time which server that is".into(),
        }
    }

    async fn route(&mut self, handler: &Handler) -> Result<Arc<Route>, Denied> {
        loop {
            // From here on, so that nothing that comes while the controllers are asked is missed.
            let mut arrivals = handler.router.arrivals();
            let asked = timeout_at(self.give_up, self.ask(handler)).await;
            let failure = match asked {
                Ok(Ok(route)) => return Ok(route),
                Ok(Err(failure)) => failure,
                Err(_) => return Err(self.not_served(handler)),
            };
            let may_pass = failure.code == sqlstate::CANNOT_CONNECT_NOW && self.attaching.bound.is_some();
            if !may_pass {
                return Err(Denied::Failure(failure));
            }
            self.last = match &failure.detail {
                Some(detail) => format!("{}: {}", failure.message, detail.trim_end_matches('.')),
                None => failure.message,
            };
            self.wait(handler, async {
                let _changed_or_gone = arrivals.changed().await;
            })
            .await?;
        }
    }

    async fn ask(&mut self, handler: &Handler) -> Result<Arc<Route>, Failure> {
        let name = self.attaching.name;
        match handler.router.route(self.attaching.request, &self.database, self.failed).await {
            Err(error) if self.may_have_another_meaning() && is_unknown(&error) => {
                // The database that the name stood for is gone: whatever has the name now is meant.
                self.database = DatabaseRef::parse(name);
                self.failed = None;
                let asked = handler.router.route(self.attaching.request, &self.database, None).await;
                asked.map_err(|error| failure::no_route(name, &error))
            }
            answer => answer.map_err(|error| failure::no_route(name, &error)),
        }
    }

    /// Whether the session is on no database yet, but the search has turned from its name to an id.
    fn may_have_another_meaning(&self) -> bool {
        self.attaching.bound.is_none()
            && matches!(self.database, DatabaseRef::Id(_))
            && self.database != DatabaseRef::parse(self.attaching.name)
    }

    /// This route did not work. Waits when it is not the first time, so that nobody is hammered.
    async fn failed(
        &mut self,
        handler: &Handler,
        route: &Route,
        why: WhyFailed,
        said: String,
    ) -> Result<(), Denied> {
        self.database = DatabaseRef::Id(route.database);
        self.failed = Some(Failed::on(route, why));
        self.last = said;
        if !std::mem::replace(&mut self.repeated, true) && Instant::now() < self.give_up {
            return Ok(());
        }
        self.wait(handler, handler.router.void(route)).await
    }

    /// Waits for news, or for a while, and never past the end.
    async fn wait(&mut self, handler: &Handler, news: impl Future<Output = ()>) -> Result<(), Denied> {
        let until = self.give_up.min(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(ATTACH_PAUSE_MAX);
        let _heard_or_not = timeout_at(until, news).await;
        if Instant::now() < self.give_up { Ok(()) } else { Err(self.not_served(handler)) }
    }

    fn not_served(&self, handler: &Handler) -> Denied {
        let waited = handler.settings.attach_timeout;
        Denied::Failure(failure::not_served(self.attaching.name, waited, &self.last))
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
