//! A session's side of directives: who it is, what it was given, what it said.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU8, Ordering},
    },
};

use directive::{Acknowledgement, Outcome, postgres::Announcement};
use model::{Audience, Name};

/// How soon a session looks at the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// There is nothing to look at.
    Nothing,
    /// Within its next response, or now when it is idle.
    Convenient,
    /// At the next place where one message ends and another begins.
    Now,
}

/// What a session that announced itself is known by, and what it was given.
#[derive(Debug)]
pub(crate) struct Mailbox {
    announcement: Announcement,
    database: String,
    user: String,
    application: String,
    urgency: AtomicU8,
    given: Mutex<HashMap<Name, Given>>,
}

/// What became of a directive in one session.
#[derive(Clone, Copy, Debug, Default)]
struct Given {
    applied: bool,
    refused: bool,
    done: bool,
    failed: bool,
    expired: bool,
}

impl Mailbox {
    pub(crate) fn new(announcement: Announcement, database: &str, user: &str, application: &str) -> Self {
        Self {
            announcement,
            database: database.into(),
            user: user.into(),
            application: application.into(),
            urgency: AtomicU8::new(Urgency::Convenient as u8),
            given: Mutex::default(),
        }
    }

    pub(crate) fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    pub(crate) fn audience(&self) -> Audience<'_> {
        Audience {
            database: &self.database,
            user: &self.user,
            application: &self.application,
            location: self.announcement.location.as_deref().unwrap_or_default(),
            driver: self.announcement.driver.as_deref().unwrap_or_default(),
            session: self.announcement.session.as_deref().unwrap_or_default(),
        }
    }

    pub(crate) fn urgency(&self) -> Urgency {
        match self.urgency.load(Ordering::Acquire) {
            0 => Urgency::Nothing,
            1 => Urgency::Convenient,
            _ => Urgency::Now,
        }
    }

    /// There is something to look at. The session is to be woken afterwards.
    pub(crate) fn look(&self) {
        self.urgency.fetch_max(Urgency::Convenient as u8, Ordering::AcqRel);
    }

    /// If it has not looked yet, it is to look now: then true, and the session is to be woken.
    pub(crate) fn press(&self) -> bool {
        let (convenient, now) = (Urgency::Convenient as u8, Urgency::Now as u8);
        self.urgency.compare_exchange(convenient, now, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// It looks. To be called before the board is read: what comes meanwhile is looked at again.
    pub(super) fn looks(&self) {
        self.urgency.store(Urgency::Nothing as u8, Ordering::Release);
    }

    /// Whether it was given this.
    pub(super) fn has(&self, id: &str) -> bool {
        self.given().contains_key(id)
    }

    /// It is given this; false when it has it already.
    pub(super) fn give(&self, id: &Name) -> bool {
        self.given().insert(id.clone(), Given::default()).is_none()
    }

    /// Forgets what does not stand any more.
    pub(super) fn retain(&self, stands: impl Fn(&Name) -> bool) {
        self.given().retain(|id, _| stands(id));
    }

    /// Whether this says something new about a directive that it was given, under which name.
    pub(super) fn acknowledged(&self, acknowledgement: &Acknowledgement) -> Option<Name> {
        let mut all = self.given();
        let id = all.get_key_value(acknowledgement.id.as_str())?.0.clone();
        let given = all.get_mut(&id)?;
        let said = match acknowledgement.outcome {
            Outcome::Applied { .. } => &mut given.applied,
            Outcome::Refused { .. } => &mut given.refused,
            Outcome::Done => &mut given.done,
            Outcome::Failed { .. } => &mut given.failed,
            Outcome::Expired => &mut given.expired,
        };
        (!std::mem::replace(said, true)).then_some(id)
    }

    fn given(&self) -> MutexGuard<'_, HashMap<Name, Given>> {
        self.given.lock().expect("BUG: nothing panics while holding this lock")
    }
}
