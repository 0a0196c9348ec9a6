//! Where a database is: from the cache, or from the leading controller, asked once however many want to know.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use model::{DatabaseId, RequestId, Revision};
use rpc::{
    Controllers,
    controller::{DatabaseInfo, DatabaseRef, Route, RouteFailed, RouteRequest, WatchedChange, WhyFailed},
};
use tokio::sync::watch;

use super::{
    pace::{Pace, Paces},
    routes::Routes,
    voids::Voids,
};
use crate::metrics;

/// A route that did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// The database it was for.
    pub(crate) database: DatabaseId,
    /// What happened, and at which epoch.
    pub(crate) route: RouteFailed,
}

impl Failed {
    /// The hint that a controller compares with what it knows.
    pub(crate) fn on(route: &Route, why: WhyFailed) -> Self {
        Self { database: route.database, route: RouteFailed { epoch: route.epoch, why } }
    }
}

/// Why there is no route. Shared between all who asked.
pub(crate) type RouteError = Arc<rpc::Error>;

type Answer = Result<Arc<Route>, RouteError>;
/// Database and failure, as text: equal when the same is asked.
type Question = String;

/// The one place that routes come from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Router {
    shared: Arc<State>,
}

struct State {
    controllers: Controllers,
    routes: Mutex<Routes>,
    paces: Paces,
    asked: Mutex<HashMap<Question, Shared<BoxFuture<'static, Answer>>>>,
    voids: Mutex<Voids>,
    /// Counts what may help those who have no route at all: servers that come.
    arrivals: watch::Sender<u64>,
    /// The newest revision that anybody told us.
    seen: AtomicU64,
}

impl Router {
    pub(crate) fn new(controllers: Controllers, routes_max: usize) -> Self {
        let routes = Mutex::new(Routes::new(routes_max));
        let shared = State {
            controllers,
            routes,
            paces: Paces::default(),
            asked: Mutex::default(),
            voids: Mutex::default(),
            arrivals: watch::Sender::new(0),
            seen: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The newest revision seen.
    pub(crate) fn seen(&self) -> Revision {
        Revision(self.shared.seen.load(Ordering::Acquire))
    }

    /// Takes note of a revision that somebody told.
    pub(crate) fn saw(&self, revision: Revision) {
        self.shared.seen.fetch_max(revision.0, Ordering::AcqRel);
    }

    /// A route to the database: a known one unless it just failed, else the leader's, which has made a server load
    /// the database by the time it answers (R10, R12, R19).
    ///
    /// # Errors
    /// What the leader, or the way to it, said.
    pub(crate) async fn route(
        &self,
        request: RequestId,
        database: &DatabaseRef,
        failed: Option<Failed>,
    ) -> Result<Arc<Route>, RouteError> {
        if let Some(route) = self.known(database, failed) {
            metrics::route_looked_up("cached");
            return Ok(route);
        }
        let answer = self.ask(request, database, failed.map(|failed| failed.route)).await;
        metrics::route_looked_up(if answer.is_ok() { "asked" } else { "failed" });
        answer
    }

    /// A route that is known already, without asking anybody.
    pub(crate) fn peek(&self, database: &DatabaseRef) -> Option<Arc<Route>> {
        self.routes().find(database)
    }

    fn known(&self, database: &DatabaseRef, failed: Option<Failed>) -> Option<Arc<Route>> {
        let mut routes = self.routes();
        if let Some(failed) = failed {
            routes.failed(failed.database, failed.route.epoch);
        }
        routes.find(database)
    }

    /// Joins whoever asks the same thing already.
    fn ask(
        &self,
        request: RequestId,
        database: &DatabaseRef,
        failed: Option<RouteFailed>,
    ) -> Shared<BoxFuture<'static, Answer>> {
        let question = format!("{database} {failed:?}");
        let mut asked = self.asked();
        let router = self.clone();
        let database = database.clone();
        asked
            .entry(question.clone())
            .or_insert_with(|| {
                let answer = async move {
                    let answer = router.ask_leader(request, database, failed).await;
                    router.asked().remove(&question);
                    answer
                };
                // A task of its own: whoever asked first may go away while others wait.
                let answer = tokio::spawn(answer).map(|joined| {
                    joined.unwrap_or_else(|error| Err(Arc::new(std::io::Error::other(error).into())))
                });
                answer.boxed().shared()
            })
            .clone()
    }

    async fn ask_leader(
        &self,
        request: RequestId,
        database: DatabaseRef,
        failed: Option<RouteFailed>,
    ) -> Answer {
        let asking = RouteRequest { request, database, at_least: self.seen(), failed };
        let route = self
            .shared
            .controllers
            .leader(move |client, context| {
                let asking = asking.clone();
                async move { client.route(context, asking).await }.boxed()
            })
            .await
            .map_err(Arc::new)?;
        self.saw(route.revision);
        let mut routes = self.routes();
        let route = routes.learn(route);
        metrics::routes_known(routes.len());
        Ok(route)
    }

    /// Takes a route that a controller gave unasked.
    pub(crate) fn learn(&self, route: Route) {
        self.saw(route.revision);
        self.routes().learn(route);
    }

    /// The pace of a route's database.
    pub(crate) fn pace(&self, route: &Route) -> Arc<Pace> {
        self.shared.paces.of(route.database, &route.options, route.revision)
    }

    /// Waits until the map says that the route is void: the database has another owner, or its owner is gone.
    pub(crate) async fn void(&self, route: &Route) {
        let trying = self.voids().enter(route);
        trying.void.cancelled().await;
    }

    /// What comes from now on may help those who have no route at all.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.shared.arrivals.subscribe()
    }

    /// Everything may have changed.
    pub(super) fn reset(&self) {
        self.routes().clear();
        self.arrived();
    }

    fn arrived(&self) {
        self.shared.arrivals.send_modify(|count| *count += 1);
    }

    /// A database, a server or both have changed.
    pub(super) fn changed(&self, change: &WatchedChange) {
        match change {
            WatchedChange::Database(info) => {
                self.routes().changed(info);
                self.shared.paces.changed(info.database, &info.options, info.revision);
                self.voids().changed(info);
            }
            WatchedChange::DatabaseDropped(database) => {
                self.routes().forget(*database);
                self.voids().dropped(*database);
            }
            WatchedChange::Server { server, incarnation, state } => {
                self.routes().server(*server, *incarnation, *state);
                self.voids().server(*server, *incarnation, *state);
                if state.is_alive() {
                    self.arrived();
                }
            }
            WatchedChange::Handler(_) | WatchedChange::User(_) | WatchedChange::Directives => {}
        }
        metrics::routes_known(self.routes().len());
    }

    /// A change that went through this handler, so that it is seen here before the watch tells.
    pub(crate) fn operated(&self, revision: Revision, database: Option<&DatabaseInfo>) {
        self.saw(revision);
        if let Some(info) = database {
            self.routes().changed(info);
            self.shared.paces.changed(info.database, &info.options, info.revision);
            self.voids().changed(info);
        }
    }

    fn voids(&self) -> std::sync::MutexGuard<'_, Voids> {
        self.shared.voids.lock().expect("BUG: nothing panics while holding this lock")
    }

    fn routes(&self) -> std::sync::MutexGuard<'_, Routes> {
        self.shared.routes.lock().expect("BUG: nothing panics while holding this lock")
    }

    fn asked(&self) -> std::sync::MutexGuard<'_, HashMap<Question, Shared<BoxFuture<'static, Answer>>>> {
        self.shared.asked.lock().expect("BUG: nothing panics while holding this lock")
    }
}
