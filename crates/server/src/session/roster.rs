//! Who has a session here, and since when each works on a request.
//!
//! A session that works costs two stores; only who looks for the longest looks at all.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use conditions::Scope;
use directive::{
    Directive,
    postgres::{Announcement, read_report},
};
use model::DatabaseId;
use tokio::time::Instant;

use super::{outbox::Outbox, startup::Asked};
use crate::{
    engine::InterruptHandle,
    limits::{REPORT_BYTES_MAX, SAID_BYTES_MAX},
    measures,
    telemetry::{Report, Reporter, Reports, short},
};

/// The sessions of a server. Cheap to clone.
#[derive(Clone)]
pub struct Roster(Arc<Shared>);

struct Shared {
    begun: Instant,
    reports: Reports,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    last: u64,
    entries: BTreeMap<u64, Arc<Entry>>,
}

struct Entry {
    database: DatabaseId,
    /// As the client calls it.
    name: String,
    /// The handler that it came through; empty for none.
    handler: String,
    /// The client's `application_name`.
    application: String,
    outbox: Outbox,
    interrupt: InterruptHandle,
    /// Microseconds from the roster's beginning at which the request began that is worked on; 0 when there is none.
    since: AtomicU64,
}

/// A session's place. It is forgotten when this is dropped.
pub struct Place {
    roster: Roster,
    id: u64,
    entry: Arc<Entry>,
}

/// The session works until this is dropped.
#[must_use]
pub struct Working(Arc<Entry>);

/// A session that works for long.
#[derive(Clone, Debug)]
pub struct Longest {
    /// In which database.
    pub database: DatabaseId,
    /// For how long.
    pub age: Duration,
    /// Cancels what it is doing.
    pub interrupt: InterruptHandle,
}

impl Default for Roster {
    fn default() -> Self {
        Self(Arc::new(Shared { begun: Instant::now(), reports: Reports::default(), table: Mutex::default() }))
    }
}

impl Roster {
    /// A session begins.
    pub fn enter(&self, asked: &Asked, interrupt: InterruptHandle) -> Place {
        let application = asked.parameters.iter().rev().find(|(name, _)| name == "application_name");
        let entry = Arc::new(Entry {
            database: asked.database,
            name: asked.name.clone(),
            handler: asked.handler.clone(),
            application: application.map(|(_, value)| short(value)).unwrap_or_default(),
            outbox: Outbox::default(),
            interrupt,
            since: AtomicU64::new(0),
        });
        let mut table = self.table();
        table.last += 1;
        let id = table.last;
        table.entries.insert(id, Arc::clone(&entry));
        Place { roster: self.clone(), id, entry }
    }

    /// What clients have told of themselves.
    pub fn reports(&self) -> &Reports {
        &self.0.reports
    }

    /// The session that has worked on its request for longest, if that is at least so long.
    pub fn longest(&self, at_least: Duration) -> Option<Longest> {
        let table = self.table();
        let working = table.entries.values().map(|entry| (entry.since.load(Ordering::Relaxed), entry));
        let (since, entry) = working.filter(|(since, _)| *since > 0).min_by_key(|(since, _)| *since)?;
        let age = Duration::from_micros(self.now().saturating_sub(since));
        let (database, interrupt) = (entry.database, entry.interrupt.clone());
        (age >= at_least).then_some(Longest { database, age, interrupt })
    }

    /// Puts a directive into the outboxes of all whom it concerns; how many of them get it.
    pub fn tell(&self, scope: Scope, directive: &Directive) -> usize {
        let table = self.table();
        let concerned = table.entries.values().filter(|entry| entry.is_in(scope));
        concerned.filter(|entry| entry.outbox.put(directive)).count()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_micros()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_in(&self, scope: Scope) -> bool {
        match scope {
            Scope::Server => true,
            Scope::Database(database) => database == self.database,
        }
    }
}

impl Place {
    /// What waits for its client.
    pub fn outbox(&self) -> &Outbox {
        &self.entry.outbox
    }

    /// The client announces itself.
    pub fn announce(&self, announcement: Announcement) {
        self.entry.outbox.announce(announcement, &self.entry.name);
    }

    /// Whether a condition of this scope is about it.
    pub fn is_in(&self, scope: Scope) -> bool {
        self.entry.is_in(scope)
    }

    /// Hears what a message says of directives, if anything. Whether the client announced itself by it.
    pub fn hear(&self, tag: u8, body: &[u8]) -> bool {
        let text = match tag {
            b'Q' => body,
            // Behind the statement's name.
            b'P' => match body.iter().position(|byte| *byte == 0) {
                Some(end) => &body[end + 1..],
                None => return false,
            },
            _ => return false,
        };
        let begun = text.trim_ascii_start();
        if begun.len() > REPORT_BYTES_MAX
            || !begun.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"set"))
        {
            return false;
        }
        let end = begun.iter().position(|byte| *byte == 0).unwrap_or(begun.len());
        let Ok(sql) = std::str::from_utf8(&begun[..end]) else { return false };
        if let Some(report) = read_report(sql) {
            self.told(&report);
            return false;
        }
        begun.len() <= SAID_BYTES_MAX && self.entry.outbox.hear(sql, &self.entry.name)
    }

    /// The client told what it measured. Only one that announced itself can have been asked to.
    fn told(&self, report: &str) {
        let Some(announcement) = self.entry.outbox.announcement() else {
            return measures::reported("unannounced");
        };
        match Report::read(report) {
            Ok(report) => {
                let Entry { database, name, handler, application, .. } = &*self.entry;
                let reporter = Reporter {
                    session: announcement.session.unwrap_or_else(|| format!("session {}", self.id)),
                    database: *database,
                    name: name.clone(),
                    handler: handler.clone(),
                    application: application.clone(),
                    driver: announcement.driver.unwrap_or_default(),
                    location: announcement.location.unwrap_or_default(),
                };
                self.roster.0.reports.take(reporter, report, Instant::now());
                measures::reported("taken");
            }
            Err(error) => {
                tracing::debug!(%error, "what a client measured makes no sense");
                measures::reported("misread");
            }
        }
    }

    /// The session works from now on.
    pub fn working(&self) -> Working {
        self.entry.since.store(self.roster.now(), Ordering::Relaxed);
        Working(Arc::clone(&self.entry))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.roster.table().entries.remove(&self.id);
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.since.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_is_who_began_first_and_still_works() {
        let roster = Roster::default();
        let enter = |id| {
            let asked = Asked {
                database: DatabaseId(id),
                epoch: model::Epoch(1),
                user: "ann".into(),
                name: "shop".into(),
                handler: String::new(),
                request: model::RequestId(0),
                minor: 0,
                attach: None,
                parameters: Vec::new(),
            };
            roster.enter(&asked, InterruptHandle::default())
        };
        let (one, two, idle) = (enter(1), enter(2), enter(3));
        assert!(roster.longest(Duration::ZERO).is_none(), "nobody works");
        let first = one.working();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let _second = two.working();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let longest = roster.longest(Duration::from_secs(1)).expect("two work");
        assert_eq!((longest.database, longest.age), (DatabaseId(1), Duration::from_secs(3)));
        drop(first);
        let longest = roster.longest(Duration::ZERO).expect("one works");
        assert_eq!((longest.database, longest.age), (DatabaseId(2), Duration::from_secs(1)));
        assert!(roster.longest(Duration::from_secs(2)).is_none(), "not for that long");
        drop((two, one, idle));
        assert!(roster.longest(Duration::ZERO).is_none(), "gone");
    }
}
