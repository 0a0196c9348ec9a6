//! A client's way to its database: one session at a time, opened again when it is lost, moved when a directive says so.
//!
//! Calls share the session. Who needs it alone, a transaction or a move, takes the lock for itself:
//! so a move happens between calls and between transactions, and never within.

mod attend;
mod call;
mod connect;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use directive::Acknowledgement;
use tokio::{
    sync::{Notify, OwnedRwLockMappedWriteGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard},
    time::{Instant, timeout_at},
};

use crate::{
    driver::{ClientStatus, Plan, Shared},
    error::{Effect, Error},
    memory::Memory,
    protocol::Address,
    session::Session,
};

pub(crate) use call::{Call, Limits, Unsent};

/// The place of a session; empty before the first, and after a loss.
pub(crate) type Slot = Option<Session>;

/// A client's way.
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    /// The logical name that it leads to.
    pub(crate) source: Option<String>,
    /// The database, where it is not the configured one.
    database: Option<String>,
    pub(crate) wake: Notify,
    slot: Arc<RwLock<Slot>>,
    memory: Mutex<Memory>,
    state: Mutex<State>,
    sessions: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Where the last session is or was, and its database.
    target: Option<(Address, String)>,
    /// The version of the logical name that led there.
    version: Option<u64>,
    /// The directive that moved it last, or could not.
    switched: Option<(String, String)>,
}

impl Link {
    /// A way without a session yet, and somebody to look after it.
    pub(crate) fn new(shared: &Arc<Shared>, source: Option<&str>, database: Option<&str>) -> Arc<Link> {
        let link = Arc::new(Link {
            shared: shared.clone(),
            source: source.map(str::to_owned),
            database: database.map(str::to_owned),
            wake: Notify::new(),
            slot: Arc::default(),
            memory: Mutex::default(),
            state: Mutex::default(),
            sessions: AtomicU64::new(0),
        });
        shared.attach(&link);
        tokio::spawn(attend::attend(Arc::downgrade(&link)));
        link
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the session is, and its database, by the names that scopes use.
    pub(crate) fn target(&self) -> (String, String) {
        let state = self.state();
        let target = state.target.as_ref();
        target.map(|(address, database)| (address.to_string(), database.clone())).unwrap_or_default()
    }

    /// A session that lives, shared with other calls; opened now if there is none.
    pub(crate) async fn session(&self, limits: Limits) -> Result<RwLockReadGuard<'_, Session>, Error> {
        loop {
            let slot = within(limits, "waiting for the session", self.slot.read()).await?;
            if let Ok(session) =
                RwLockReadGuard::try_map(slot, |slot| slot.as_ref().filter(|one| !one.is_ended()))
            {
                return Ok(session);
            }
            let mut slot = within(limits, "waiting for the session", self.slot.write()).await?;
            self.renew(&mut slot, limits).await?;
        }
    }

    /// The same, for the caller alone.
    pub(crate) async fn session_alone(
        &self,
        limits: Limits,
    ) -> Result<OwnedRwLockMappedWriteGuard<Slot, Session>, Error> {
        let lock = self.slot.clone().write_owned();
        let mut slot = within(limits, "waiting for the session", lock).await?;
        self.renew(&mut slot, limits).await?;
        let session = OwnedRwLockWriteGuard::try_map(slot, Option::as_mut);
        Ok(session.unwrap_or_else(|_| unreachable!("BUG: a session was opened")))
    }

    /// Puts a living session into the slot.
    async fn renew(&self, slot: &mut Slot, limits: Limits) -> Result<(), Error> {
        if slot.as_ref().is_some_and(|session| !session.is_ended()) {
            return Ok(());
        }
        if let Some(old) = slot.take() {
            let pinned_by = self.memory().lost();
            if old.lost_transaction() {
                return Err(Error::SessionLost { what: "an open transaction" });
            }
            if let Some(what) = pinned_by {
                return Err(Error::SessionLost { what });
            }
        }
        let (session, plan) = self.connect(limits).await?;
        self.settle(&session, &plan);
        *slot = Some(session);
        Ok(())
    }

    /// A session took its place.
    fn settle(&self, session: &Session, plan: &Plan) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        self.shared.meter.opened();
        let mut state = self.state();
        state.target = Some((session.address.clone(), plan.database.clone()));
        state.version = plan.version;
    }

    /// Where a session of this link goes now.
    fn plan(&self) -> Result<Plan, Error> {
        self.shared.plan(self.source.as_deref(), self.database.as_deref())
    }

    /// Why a client that is given back to a pool is not to be used again.
    #[cfg(feature = "deadpool")]
    pub(crate) fn unfit(&self) -> Option<&'static str> {
        let version = self.plan().ok()?.version;
        if self.sessions.load(Ordering::Relaxed) > 0 && version != self.state().version {
            return Some("its logical name leads elsewhere now");
        }
        let slot = self.slot.try_read().ok();
        let open =
            slot.as_ref().is_none_or(|slot| slot.as_ref().is_some_and(|one| one.watch.in_transaction()));
        open.then_some("a transaction is open in it")
    }

    /// Sends a report in the session, if it is idle. Whether it was taken.
    pub(crate) async fn report(&self, sql: &str) -> bool {
        let Ok(slot) = self.slot.try_read() else { return false };
        let Some(session) = slot.as_ref() else { return false };
        let idle = !session.is_ended() && !session.watch.is_under_way() && !session.watch.in_transaction();
        idle && session.client.batch_execute(sql).await.is_ok()
    }

    /// Something to be said back in the session, if there is one.
    pub(crate) fn say(&self, acknowledgement: Acknowledgement) {
        if let Ok(slot) = self.slot.try_read()
            && let Some(session) = slot.as_ref()
        {
            session.outbox.push(acknowledgement);
        }
    }

    pub(crate) fn status(&self) -> ClientStatus {
        let slot = self.slot.try_read().ok();
        let session = slot.as_ref().and_then(|slot| slot.as_ref()).filter(|session| !session.is_ended());
        ClientStatus {
            address: session.map(|session| session.address.to_string()),
            source: self.source.clone(),
            in_transaction: session.is_some_and(|session| session.watch.in_transaction()),
            pinned_by: self.memory().pin(),
            sessions: self.sessions.load(Ordering::Relaxed),
            last_switch: self.state().switched.as_ref().map(|(id, how)| format!("{id}: {how}")),
        }
    }
}

/// Waits for something that has no effect, until the call's deadline.
async fn within<T>(limits: Limits, doing: &'static str, what: impl Future<Output = T>) -> Result<T, Error> {
    let late = |_| limits.late(doing, Effect::None, None);
    timeout_at(limits.deadline, what).await.map_err(late)
}

/// How long until `at`.
fn left(at: Instant) -> std::time::Duration {
    at.saturating_duration_since(Instant::now())
}
