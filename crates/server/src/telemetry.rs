//! What clients measured because they were told to, and uploaded in their sessions (R78): kept for a while, for whoever
//! asks the servers what many clients have in common (R80).
//!
//! It is a client's own word about itself, so it decides nothing here, and what a client of one database says neither
//! replaces nor displaces what those of others do. Bounded in clients, in reports of each, and in the length of every text;
//! the client that has been silent for longest makes room.

mod reading;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::DatabaseId;
use rpc::environment::{ClientTold, Figures};
use tokio::time::Instant;

pub use reading::{Report, short};

use crate::limits::{
    ERRORS_TOLD_MAX, REPORTING_CLIENTS_MAX, REPORTING_CLIENTS_MAX_EACH, REPORTS_KEPT, REPORTS_KEPT_EACH,
};

/// Who reports, as far as the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reporter {
    /// The session's own token, or anything else that tells it from others.
    pub session: String,
    /// The database.
    pub database: DatabaseId,
    /// As the client calls it.
    pub name: String,
    /// The handler that it came through; empty for none.
    pub handler: String,
    /// Its `application_name`.
    pub application: String,
    /// Its driver and version, as it announced.
    pub driver: String,
    /// Where it runs, as it announced.
    pub location: String,
}

/// All that was told lately. Cheap to clone.
#[derive(Clone, Default)]
pub struct Reports(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    databases: BTreeMap<DatabaseId, BTreeMap<String, Client>>,
    /// When what is old was dropped last.
    purged: Option<Instant>,
}

struct Client {
    who: Reporter,
    told: VecDeque<(Instant, Report)>,
}

impl Client {
    fn last(&self) -> Option<Instant> {
        self.told.back().map(|(at, _)| *at)
    }
}

impl Reports {
    /// Takes a report in.
    pub fn take(&self, who: Reporter, report: Report, now: Instant) {
        let mut kept = self.kept();
        kept.purge(now);
        let instance = report.instance.clone().unwrap_or_else(|| who.session.clone());
        kept.make_room(who.database, &instance);
        let clients = kept.databases.entry(who.database).or_default();
        let client =
            clients.entry(instance).or_insert_with(|| Client { who: who.clone(), told: VecDeque::new() });
        client.who = who;
        if client.told.len() >= REPORTS_KEPT_EACH {
            client.told.pop_front();
        }
        client.told.push_back((now, report));
    }

    /// What each client told within that time.
    pub fn told(&self, within: Duration, now: Instant) -> Vec<ClientTold> {
        let kept = self.kept();
        let lately = |at: Instant| now.saturating_duration_since(at) <= within;
        let told = kept.databases.values().flatten().filter_map(|(instance, client)| {
            let reports: Vec<&(Instant, Report)> = client.told.iter().filter(|(at, _)| lately(*at)).collect();
            let (last, newest) = reports.last()?;
            let Reporter { database, name, handler, application, driver, location, .. } = client.who.clone();
            let mut figures = Figures::default();
            reports.iter().for_each(|(_, report)| add(&mut figures, &report.figures));
            let own = |told: &Option<String>, known: String| told.clone().unwrap_or(known);
            Some(ClientTold {
                client: instance.clone(),
                database,
                name,
                handler,
                application: own(&newest.application, application),
                driver,
                location: own(&newest.location, location),
                reports: reports.len() as u64,
                last_ms_ago: u64::try_from(now.saturating_duration_since(*last).as_millis())
                    .unwrap_or(u64::MAX),
                figures,
            })
        });
        told.collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Drops what is old, now and then.
    fn purge(&mut self, now: Instant) {
        if self.purged.is_some_and(|purged| now.saturating_duration_since(purged) < PURGE_EVERY) {
            return;
        }
        self.purged = Some(now);
        self.databases.retain(|_, clients| {
            clients.retain(|_, client| {
                client.told.retain(|(at, _)| now.saturating_duration_since(*at) <= REPORTS_KEPT);
                !client.told.is_empty()
            });
            !clients.is_empty()
        });
    }

    /// So that this client of this database can be added, if it is not there.
    fn make_room(&mut self, database: DatabaseId, client: &str) {
        let clients = self.databases.get(&database);
        if clients.is_some_and(|clients| clients.contains_key(client)) {
            return;
        }
        let own = clients.map_or(0, BTreeMap::len);
        let all: usize = self.databases.values().map(BTreeMap::len).sum();
        let from = match (own, all) {
            (REPORTING_CLIENTS_MAX_EACH.., _) => Some(database),
            (_, REPORTING_CLIENTS_MAX..) => {
                self.databases.iter().max_by_key(|(_, clients)| clients.len()).map(|(id, _)| *id)
            }
            (_, _) => None,
        };
        let Some(clients) = from.and_then(|from| self.databases.get_mut(&from)) else { return };
        let oldest = clients.iter().min_by_key(|(_, client)| client.last()).map(|(name, _)| name.clone());
        oldest.and_then(|name| clients.remove(&name));
    }
}

/// How often what is old is dropped.
const PURGE_EVERY: Duration = Duration::from_secs(1);

/// Adds one report to what was told before. Quantiles cannot be added: the highest counts.
fn add(sum: &mut Figures, more: &Figures) {
    sum.calls = sum.calls.saturating_add(more.calls);
    sum.failed = sum.failed.saturating_add(more.failed);
    sum.sum_us = sum.sum_us.saturating_add(more.sum_us);
    sum.p50_us = sum.p50_us.max(more.p50_us);
    sum.p99_us = sum.p99_us.max(more.p99_us);
    sum.longest_us = sum.longest_us.max(more.longest_us);
    if more.memory_bytes > 0 {
        (sum.memory_bytes, sum.cpu_ms, sum.connections) = (more.memory_bytes, more.cpu_ms, more.connections);
    }
    for (error, count) in &more.errors {
        reading::count(&mut sum.errors, error, *count, ERRORS_TOLD_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(instance: &str, calls: u64, p99_us: u64) -> Report {
        let figures = Figures { calls, p99_us, ..Figures::default() };
        Report { instance: Some(instance.into()), figures, ..Report::default() }
    }

    fn who() -> Reporter {
        Reporter {
            session: "token".into(),
            database: DatabaseId(1),
            name: "shop".into(),
            handler: "handler-1".into(),
            application: "till".into(),
            driver: "rust-1".into(),
            location: "west".into(),
        }
    }

    #[test]
    fn reports_of_a_client_add_up_within_the_time_that_is_asked_for_r80() {
        let (reports, now) = (Reports::default(), Instant::now());
        reports.take(who(), report("a", 10, 900), now);
        reports.take(who(), report("a", 5, 100), now + Duration::from_secs(60));
        let told = reports.told(Duration::from_secs(90), now + Duration::from_secs(61));
        assert_eq!((told.len(), told[0].figures.calls, told[0].figures.p99_us), (1, 15, 900));
        assert_eq!((told[0].location.as_str(), told[0].last_ms_ago), ("west", 1_000));
        let told = reports.told(Duration::from_secs(10), now + Duration::from_secs(61));
        assert_eq!((told[0].figures.calls, told[0].figures.p99_us), (5, 100));
    }

    #[test]
    fn however_many_report_and_however_often_little_is_kept_r78() {
        let (reports, now) = (Reports::default(), Instant::now());
        for number in 0..=REPORTING_CLIENTS_MAX_EACH as u64 {
            let at = now + Duration::from_millis(number);
            reports.take(who(), report(&number.to_string(), 1, 1), at);
        }
        let told = reports.told(REPORTS_KEPT, now);
        assert_eq!(told.len(), REPORTING_CLIENTS_MAX_EACH);
        assert!(told.iter().all(|one| one.client != "0"), "the one that was silent for longest went");
        for _ in 0..3 * REPORTS_KEPT_EACH {
            reports.take(who(), report("1", 1, 1), now + Duration::from_secs(60));
        }
        let told = reports.told(REPORTS_KEPT, now + Duration::from_secs(60));
        let one = told.iter().find(|one| one.client == "1").expect("it is there");
        assert_eq!(one.figures.calls, REPORTS_KEPT_EACH as u64);
        for number in 0..REPORTING_CLIENTS_MAX as u64 {
            let other = Reporter { database: DatabaseId(2 + number / 500), ..who() };
            reports.take(other, report(&number.to_string(), 1, 1), now + Duration::from_secs(60));
        }
        let told = reports.told(REPORTS_KEPT, now + Duration::from_secs(60));
        assert_eq!(told.len(), REPORTING_CLIENTS_MAX);
        assert!(
            told.iter().any(|one| one.database == DatabaseId(1)),
            "one tenant does not take all the room"
        );
        reports.take(who(), report("new", 1, 1), now + REPORTS_KEPT * 3);
        assert_eq!(reports.told(REPORTS_KEPT * 9, now + REPORTS_KEPT * 3).len(), 1, "it is kept for a while");
    }
}
