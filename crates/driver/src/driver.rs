//! A driver: what all its clients share. The directives' state, what failed where, and how to connect.

mod plan;
mod status;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use directive::{
    Acknowledgement, Action, Kind, Outcome,
    action::{FanOut as Map, Information, Update},
    postgres::Announcement,
    receiver::Effect,
};
use tokio::sync::broadcast;
use tokio_postgres::{
    Notification,
    tls::{MakeTlsConnect, TlsConnect},
};

use crate::{
    Client, Config, Error, FanOut, View,
    link::Link,
    meter::Meter,
    processor::Processor,
    protocol::{Dial, Plain, Tls, Watched, addresses},
    recovery::{Breakers, Budget},
    routines::{DIAGNOSTICS, ROUTINES},
    session::Outbox,
    telemetry::{self, Sample, Telemetry},
    view::Cached,
    work::{Answer, Work},
};

pub(crate) use plan::Plan;
pub use status::{ClientStatus, Status};

/// Notifications that a slow reader may miss.
const NOTIFICATIONS: usize = 256;

/// What `stationmaster.directives` says of this driver.
const NAME: &str = concat!("rust-", env!("CARGO_PKG_VERSION"));

/// Opens clients, and keeps what servers said for all of them. Cheap to clone; one for an application is enough.
#[derive(Clone)]
pub struct Driver(Arc<Shared>);

/// What clients share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) dial: Box<dyn Dial>,
    pub(crate) processor: Processor,
    pub(crate) meter: Meter,
    pub(crate) telemetry: Telemetry,
    /// Tells this driver from others in what it reports.
    pub(crate) instance: u64,
    /// A rate was set at some time: only then operations are told apart.
    pub(crate) rated: AtomicBool,
    breakers: Mutex<Breakers>,
    budget: Mutex<Budget>,
    notifications: broadcast::Sender<Notification>,
    links: Mutex<Vec<Weak<Link>>>,
    views: Mutex<Vec<(String, Weak<Cached>)>>,
}

impl Driver {
    /// A driver without TLS.
    ///
    /// # Errors
    /// [`Error::Config`] for hosts and ports that do not fit, and for a location that is no name.
    pub fn new(config: Config) -> Result<Driver, Error> {
        Driver::with(config, Box::new(Plain))
    }

    /// A driver with the application's TLS, such as `tokio_postgres_rustls::MakeRustlsConnect`.
    /// Whether it is used is said by `sslmode`, as in tokio-postgres.
    ///
    /// # Errors
    /// As for [`Driver::new`].
    pub fn with_tls<T>(config: Config, tls: T) -> Result<Driver, Error>
    where
        T: MakeTlsConnect<Watched> + Clone + Send + Sync + 'static,
        T::Stream: Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Watched>>::Future: Send + 'static,
    {
        Driver::with(config, Box::new(Tls(tls)))
    }

    fn with(mut config: Config, dial: Box<dyn Dial>) -> Result<Driver, Error> {
        let sources = config.sources.values().filter(|source| !source.get_hosts().is_empty());
        for postgres in std::iter::once(&config.postgres).chain(sources) {
            // What the application configured itself is the owner's word.
            let own = addresses(postgres)?.iter().map(ToString::to_string).collect::<Vec<_>>();
            config.policy.addresses.0.extend(own);
        }
        let known = |name: &String| ROUTINES.contains(&name.as_str());
        if let Some(unknown) = config.policy.routines.iter().find(|name| !known(name)) {
            let known = ROUTINES.join(" and ");
            return Err(Error::Config(format!(
                "policy.routines: there is no {unknown}; built in are {known}"
            )));
        }
        config.policy.destinations.extend(config.destinations.keys().cloned());
        let mut announcement = Announcement::new();
        announcement.location.clone_from(&config.location);
        announcement.value().map_err(|refusal| Error::Config(format!("location: {refusal}")))?;
        Ok(Driver(Arc::new(Shared {
            processor: Processor::new(config.policy.clone()),
            config,
            dial,
            meter: Meter::default(),
            telemetry: Telemetry::default(),
            instance: rand::random(),
            rated: AtomicBool::new(false),
            breakers: Mutex::default(),
            budget: Mutex::default(),
            notifications: broadcast::Sender::new(NOTIFICATIONS),
            links: Mutex::default(),
            views: Mutex::default(),
        })))
    }

    /// Opens a session and gives its client, which keeps one open from then on.
    ///
    /// # Errors
    /// Nobody could be connected to within the call's time-out, or a directive forbids it for longer than that.
    pub async fn connect(&self) -> Result<Client, Error> {
        Client::open(&self.0, None, None).await
    }

    /// The same for a logical name: what a directive says it stands for, else [`Config::sources`], else [`Config::postgres`].
    /// It is looked up for each connection, so the next one goes where the name then leads (R87, R88).
    ///
    /// # Errors
    /// As for [`Driver::connect`].
    pub async fn connect_to(&self, source: &str) -> Result<Client, Error> {
        Client::open(&self.0, Some(source), None).await
    }

    /// The same for another database of the configured servers.
    pub(crate) async fn connect_to_database(&self, database: &str) -> Result<Client, Error> {
        Client::open(&self.0, None, Some(database)).await
    }

    /// A table whose rows are spread over several databases, by the map that servers push (R86).
    pub fn fan_out(&self, table: &str) -> FanOut {
        FanOut::new(self.clone(), table)
    }

    pub(crate) fn map(&self, table: &str) -> Option<Map> {
        let (now, state) = (self.0.processor.now(), self.0.processor.state());
        state.fan_out(table, now).cloned()
    }

    /// Keeps a query's result in memory under `name`, until a directive says that it is to be read again (R84, R85).
    ///
    /// `whole` selects all rows; `portion` those whose key is at least `$1` and less than `$2`, which is NULL for no end.
    /// Both give the key, a text, as their first column.
    pub fn view(&self, name: &str, client: &Client, whole: &str, portion: &str) -> View {
        let (view, cached) = View::new(client.clone(), whole, portion);
        let mut views = self.0.views();
        views.retain(|(_, cached)| cached.strong_count() > 0);
        views.push((name.to_owned(), Arc::downgrade(&cached)));
        view
    }

    /// The state, for people.
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// What servers let this client know (R74): maintenance, topology. Changes nothing by itself.
    pub fn information(&self) -> Vec<Information> {
        let (now, state) = (self.0.processor.now(), self.0.processor.state());
        state.information(now).cloned().collect()
    }

    /// The newest driver that was advised (R82). A linked library cannot replace itself, so this is for people.
    pub fn update(&self) -> Option<Update> {
        let (now, state) = (self.0.processor.now(), self.0.processor.state());
        state.update(now).cloned()
    }

    /// Waits until some directive has changed what this driver knows.
    pub async fn changed(&self) {
        let mut changes = self.0.processor.changes();
        // The sender lives as long as this.
        let _ = changes.changed().await;
    }

    /// What is notified (`LISTEN`) in any session, from now on.
    pub fn notifications(&self) -> broadcast::Receiver<Notification> {
        self.0.notifications.subscribe()
    }
}

impl Shared {
    /// The start-up option that announces a session with that token.
    pub(crate) fn announcement(&self, token: &str) -> Option<String> {
        let announcement = Announcement {
            session: Some(token.to_owned()),
            driver: Some(NAME.to_owned()),
            location: self.config.location.clone(),
            can: self.processor.can(),
            ..Announcement::new()
        };
        let option = || announcement.option().expect("BUG: the location was checked, and all else is ours");
        self.config.directives.then(option)
    }

    /// A directive came.
    pub(crate) fn obey(self: &Arc<Self>, bytes: &[u8], token: &str, outbox: &Outbox) {
        let obeyed = self.processor.receive(bytes, token);
        let id = obeyed.acknowledgement.as_ref().map(|one| one.id.clone());
        if let Some(acknowledgement) = obeyed.acknowledgement {
            tracing::debug!(id = acknowledgement.id, outcome = ?acknowledgement.outcome, "a directive");
            outbox.push(acknowledgement);
        }
        match (obeyed.effect, id) {
            (Effect::Changed(Kind::Activate), _) => self.diagnose("diagnostics are on"),
            (Effect::Changed(Kind::Rate), _) => self.rated.store(true, Ordering::Relaxed),
            (Effect::Changed(Kind::Collect | Kind::Upload), _) => telemetry::begin(self),
            (Effect::Changed(_) | Effect::Nothing, _) => {}
            (Effect::Once(action), Some(id)) => {
                let outcome = self.once(&action);
                outbox.push(Acknowledgement { id, outcome });
            }
            (Effect::Once(_), None) => unreachable!("BUG: what is obeyed has an id"),
        }
        self.wake();
    }

    fn once(&self, action: &Action) -> Outcome {
        match action {
            // Addresses that were left alone are what this driver keeps about servers.
            Action::Flush(flush) => self.breakers().forget(|address| flush.covers(address)),
            Action::StopCollecting(stop) => self.telemetry.stop(self, stop),
            Action::Refresh(refresh) => {
                let views = self.views();
                let named = views.iter().filter(|(name, _)| *name == refresh.view);
                let found: Vec<_> = named.filter_map(|(_, cached)| cached.upgrade()).collect();
                if found.is_empty() {
                    return Outcome::Failed { about: "no such view".to_owned() };
                }
                found.iter().for_each(|cached| cached.refresh(refresh));
            }
            // Everything else leaves a state.
            _ => {}
        }
        Outcome::Done
    }

    fn views(&self) -> MutexGuard<'_, Vec<(String, Weak<Cached>)>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a built-in routine is switched on.
    pub(crate) fn is_on(&self, routine: &str) -> bool {
        // Most owners allow none, and then nothing is looked up.
        !self.config.policy.routines.is_empty()
            && self.processor.state().routine(routine, self.processor.now()).is_some()
    }

    /// Writes the state to the log, if it is to be there.
    fn diagnose(&self, why: &str) {
        if self.is_on(DIAGNOSTICS) {
            let status = serde_json::to_string(&self.status()).unwrap_or_default();
            tracing::info!(why, status, "diagnostics");
        }
    }

    /// A call is over.
    pub(crate) fn called(&self, work: Work<'_>, began: Instant, result: &Result<Answer, Error>) {
        if let Err(error) = result {
            self.diagnose(&error.to_string());
        }
        self.meter.called(result.is_err());
        let us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let rows = result.as_ref().map_or(0, Answer::rows_count);
        self.telemetry.called(&Sample { text: work.text(), us, rows, failed: result.is_err() });
    }

    /// A session broke, or was not opened: what only a client sees (R77).
    pub(crate) fn trouble(&self, class: &'static str, code: Option<&str>, server: &str) {
        self.telemetry.failed(class, code, server);
    }

    pub(crate) fn notified(&self, notification: Notification) {
        // Nobody has to listen.
        let _ = self.notifications.send(notification);
    }

    pub(crate) fn breakers(&self) -> MutexGuard<'_, Breakers> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client of this driver.
    pub(crate) fn attach(&self, link: &Arc<Link>) {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|link| link.strong_count() > 0);
        links.push(Arc::downgrade(link));
    }

    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.iter().filter_map(Weak::upgrade).collect()
    }

    /// What is over is dropped, and that is said where it can be.
    pub(crate) fn expire(&self, link: &Link) {
        for acknowledgement in self.processor.expire() {
            link.say(acknowledgement);
        }
    }

    /// Has every client look at what it has to do.
    fn wake(&self) {
        for link in self.links() {
            link.wake.notify_one();
        }
    }
}
