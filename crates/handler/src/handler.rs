//! What all connections of one handler share.

use std::sync::{Arc, Mutex};

use rpc::{Controllers, Host};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};

use crate::{
    Settings,
    backend::{LoginKeys, Turns},
    cancel::Rate,
    clients::{Counts, LocationMap},
    directives::Board,
    fleet::{Own, Peers, Router, Users},
    held::Held,
    metrics::Traffic,
    sessions::Sessions,
};

/// One running handler.
pub(crate) struct Handler {
    pub(crate) settings: Settings,
    pub(crate) host: Host,
    pub(crate) own: Arc<Own>,
    pub(crate) controllers: Controllers,
    pub(crate) router: Router,
    pub(crate) users: Arc<Users>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) board: Arc<Board>,
    pub(crate) login_keys: LoginKeys,
    pub(crate) turns: Turns,
    pub(crate) held: Arc<Held>,
    pub(crate) traffic: Traffic,
    /// Where clients are.
    pub(crate) locations: LocationMap,
    /// How many requests came from there.
    pub(crate) counts: Counts,
    /// Whether it is a console beside another role, and nothing else.
    pub(crate) is_console: bool,
    /// True once the map has been read.
    pub(crate) synced: watch::Receiver<bool>,
    room: Arc<Semaphore>,
    cancels: Mutex<Rate>,
}

impl Handler {
    pub(crate) fn new(
        settings: Settings,
        host: Host,
        own: Arc<Own>,
        controllers: Controllers,
        synced: watch::Receiver<bool>,
    ) -> Self {
        Self {
            own,
            router: Router::new(controllers.clone(), settings.routes_max),
            users: Arc::new(Users::new(host.secret.decoy_key())),
            peers: Arc::default(),
            sessions: Arc::default(),
            board: Arc::default(),
            login_keys: LoginKeys::default(),
            turns: Turns::default(),
            held: Arc::new(Held::new(&settings)),
            traffic: Traffic::new(),
            locations: LocationMap::new(&settings.location, &settings.client_locations),
            counts: Counts::default(),
            is_console: false,
            synced,
            room: Arc::new(Semaphore::new(settings.sessions_max.min(Semaphore::MAX_PERMITS))),
            cancels: Mutex::default(),
            controllers,
            settings,
            host,
        }
    }

    /// One that is a console only.
    pub(crate) fn console(
        settings: Settings,
        host: Host,
        own: Arc<Own>,
        controllers: Controllers,
        synced: watch::Receiver<bool>,
    ) -> Self {
        Self { is_console: true, ..Self::new(settings, host, own, controllers, synced) }
    }

    /// Room for one more session, if there is any.
    pub(crate) fn room(&self) -> Option<OwnedSemaphorePermit> {
        self.room.clone().try_acquire_owned().ok()
    }

    /// Whether the source may send a cancel request now.
    pub(crate) fn allows_cancel(&self, source: &str, now: Instant) -> bool {
        self.cancels.lock().expect("BUG: nothing panics while holding this lock").allow(source, now)
    }
}
