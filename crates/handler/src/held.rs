//! Requests that wait for a server: how many at a time, with how many bytes, and for which database.
//!
//! A session that starts, one whose server is gone, and one whose requests are to be settled is held until a server serves
//! its database. Time is bounded by `attach_timeout`; this bounds the rest. One more is refused at once, so that a database
//! that nobody serves takes neither the handler's memory nor the places of the others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::time::Instant;

use crate::{Settings, metrics};

/// All places of one handler.
#[derive(Debug)]
pub(crate) struct Held {
    all_max: Amount,
    each_max: Amount,
    state: Mutex<State>,
}

/// Requests and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    requests: usize,
    bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    all: Amount,
    /// By the database's name, as clients say it. Nobody held, no entry.
    each: HashMap<Arc<str>, Amount>,
}

/// A setting that does not let one more request be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// Its name.
    pub(crate) setting: &'static str,
    /// Its value.
    pub(crate) max: usize,
    /// What it counts.
    pub(crate) unit: &'static str,
}

/// How waiting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With a server.
    Served,
    /// There is none to be had, or not in time.
    Denied,
    /// The client canceled.
    Canceled,
    /// The client or the handler went away.
    Ended,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Denied => "denied",
            Self::Canceled => "canceled",
            Self::Ended => "ended",
        }
    }
}

/// One held request; not any more when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    held: Arc<Held>,
    database: Arc<str>,
    bytes: usize,
    since: Instant,
    /// How it ended, once it has.
    pub(crate) outcome: Outcome,
}

impl Held {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            all_max: Amount { requests: settings.held_requests_max, bytes: settings.held_bytes_max },
            each_max: Amount {
                requests: settings.held_requests_per_database_max,
                bytes: settings.held_bytes_per_database_max,
            },
            state: Mutex::default(),
        }
    }

    /// A place for a request of so many bytes.
    ///
    /// # Errors
    /// The bound that it would break.
    pub(crate) fn take(self: &Arc<Self>, database: &str, bytes: usize) -> Result<Place, Full> {
        let mut state = self.state();
        let each = state.each.get(database).copied().unwrap_or_default();
        let bounds = [
            ("held_requests_max", "requests", state.all.requests, 1, self.all_max.requests),
            ("held_bytes_max", "bytes", state.all.bytes, bytes, self.all_max.bytes),
            ("held_requests_per_database_max", "requests", each.requests, 1, self.each_max.requests),
            ("held_bytes_per_database_max", "bytes", each.bytes, bytes, self.each_max.bytes),
        ];
        let full = bounds.iter().find(|(_, _, now, more, max)| now + more > *max);
        if let Some((setting, unit, _, _, max)) = full {
            metrics::held_no_more(setting);
            return Err(Full { setting, max: *max, unit });
        }
        let database = match state.each.get_key_value(database) {
            Some((name, _)) => name.clone(),
            None => Arc::from(database),
        };
        state.all.add(1, bytes);
        state.each.entry(database.clone()).or_default().add(1, bytes);
        metrics::held(state.all.requests);
        drop(state);
        Ok(Place { held: self.clone(), database, bytes, since: Instant::now(), outcome: Outcome::Ended })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("BUG: nothing panics while holding this lock")
    }
}

impl Amount {
    fn add(&mut self, requests: usize, bytes: usize) {
        self.requests += requests;
        self.bytes += bytes;
    }

    fn subtract(&mut self, requests: usize, bytes: usize) {
        self.requests -= requests;
        self.bytes -= bytes;
    }
}

impl Place {
    /// The request has so many more bytes; false when no more are to be taken.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let mut state = self.held.state();
        state.all.add(0, bytes);
        let each = state.each.entry(self.database.clone()).or_default();
        each.add(0, bytes);
        let room = each.bytes < self.held.each_max.bytes;
        self.bytes += bytes;
        room && state.all.bytes < self.held.all_max.bytes
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.held.state();
        state.all.subtract(1, self.bytes);
        let each = state.each.get_mut(&self.database).expect("BUG: it stays while requests are held for it");
        each.subtract(1, self.bytes);
        if each.requests == 0 {
            state.each.remove(&self.database);
        }
        metrics::held(state.all.requests);
        drop(state);
        metrics::held_until(self.outcome.label(), self.since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use model::Name;

    use super::*;

    fn held() -> Arc<Held> {
        let name = Name::new("h").expect("a name");
        Arc::new(Held::new(&Settings {
            held_requests_max: 5,
            held_bytes_max: 1000,
            held_requests_per_database_max: 3,
            held_bytes_per_database_max: 600,
            ..Settings::new(name, "h:1".into(), vec!["c:1".into()])
        }))
    }

    fn full(result: Result<Place, Full>) -> &'static str {
        result.expect_err("full").setting
    }

    #[tokio::test]
    async fn each_bound_holds_and_is_named() {
        let held = held();
        let three: Vec<_> = (0..3).map(|_| held.take("a", 10).expect("room")).collect();
        assert_eq!(full(held.take("a", 10)), "held_requests_per_database_max");
        assert_eq!(full(held.take("b", 601)), "held_bytes_per_database_max");
        let _two: Vec<_> = (0..2).map(|_| held.take("b", 10).expect("room")).collect();
        assert_eq!(full(held.take("c", 10)), "held_requests_max");
        drop(three);
        let _much = held.take("d", 600).expect("room");
        assert_eq!(full(held.take("e", 500)), "held_bytes_max");
        assert!(held.take("e", 100).is_ok());
    }

    #[tokio::test]
    async fn a_request_may_grow_up_to_the_bound_and_gives_everything_back() {
        let held = held();
        let mut place = held.take("a", 100).expect("room");
        assert!(place.grow(400));
        assert!(!place.grow(200), "what came is counted, and no more is to be read");
        assert_eq!(full(held.take("a", 1)), "held_bytes_per_database_max");
        drop(place);
        let state = held.state();
        assert!(state.all == Amount::default() && state.each.is_empty(), "{state:?}");
    }
}
