//! The newest events, and reading them: from a place, a time, or the end, all of them or those about one thing.

use std::collections::VecDeque;

use imbl::Vector;

use super::{Event, EventId, What};
use crate::{
    DatabaseId, Revision, ServerId, TimestampMs,
    limits::{EVENTS_BYTES_MAX, EVENTS_MAX},
};

/// The events that are still known. Shares its structure when cloned, so it can be read while new ones come.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    events: Vector<Event>,
    /// What they count for together.
    bytes: usize,
    /// Up to here events were forgotten.
    floor: EventId,
}

/// Where to begin reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum EventsFrom {
    /// After this event.
    After(EventId),
    /// With what happened at this time or later.
    Since(TimestampMs),
    /// Near the end: only the newest.
    Last,
}

/// What events must be about. Those about one database include the end of its owner's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only this database.
    pub database: Option<DatabaseId>,
    /// Only this server.
    pub server: Option<ServerId>,
}

/// Some events, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// Read on after this one.
    pub next: EventId,
    /// Whether events between where it was to begin and the first one known are forgotten.
    pub overrun: bool,
}

impl EventLog {
    /// With these events, oldest first, and everything up to `floor` forgotten.
    pub(crate) fn from_parts(floor: EventId, events: Vec<Event>) -> Self {
        let bytes = events.iter().map(Event::bytes).sum();
        let mut log = Self { events: events.into_iter().collect(), bytes, floor };
        log.shrink();
        log
    }

    /// Up to where events were forgotten.
    pub fn floor(&self) -> EventId {
        self.floor
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The last one.
    pub fn newest(&self) -> Option<&Event> {
        self.events.last()
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.events.iter()
    }

    pub(crate) fn push(&mut self, event: Event) {
        assert!(self.events.last().is_none_or(|last| last.id < event.id), "BUG: events come in order");
        self.bytes += event.bytes();
        self.events.push_back(event);
        self.shrink();
    }

    /// Forgets the oldest until both bounds hold.
    fn shrink(&mut self) {
        while self.events.len() > EVENTS_MAX || self.bytes > EVENTS_BYTES_MAX {
            let oldest = self.events.pop_front().expect("BUG: too many are some");
            self.bytes -= oldest.bytes();
            self.floor = oldest.id;
        }
    }

    /// At most `limit` events that fit, at least one if there is one. `now` is the revision of the map that this log was taken from.
    pub fn read(&self, now: Revision, from: EventsFrom, filter: EventFilter, limit: usize) -> EventPage {
        let (end, limit) = (EventId::end_of(now), limit.max(1));
        let (start, overrun) = match from {
            EventsFrom::After(after) => (self.after(after), after < self.floor),
            EventsFrom::Since(at) => {
                let start = self.events.iter().position(|event| event.at >= at).unwrap_or(self.events.len());
                (start, start == 0 && self.floor > EventId::default())
            }
            EventsFrom::Last => (0, false),
        };
        let fits = self.fitting(start, filter);
        if from == EventsFrom::Last {
            let mut newest = VecDeque::new();
            for event in fits {
                if newest.len() == limit {
                    newest.pop_front();
                }
                newest.push_back(event.clone());
            }
            return EventPage { events: newest.into(), next: end, overrun };
        }
        let events: Vec<Event> = fits.take(limit).cloned().collect();
        // Only a full page leaves something for the next one.
        let next = events.last().filter(|_| events.len() == limit).map_or(end, |last| last.id);
        EventPage { events, next, overrun }
    }

    /// The first place after an event.
    fn after(&self, id: EventId) -> usize {
        match self.events.binary_search_by(|event| event.id.cmp(&id)) {
            Ok(at) => at + 1,
            Err(at) => at,
        }
    }

    fn fitting(&self, start: usize, filter: EventFilter) -> impl Iterator<Item = &Event> {
        let mut owner = filter.database.and_then(|database| {
            let mut before = self.events.focus().narrow(..start).into_iter().rev();
            before.find(|event| event.database == Some(database) && gives(event)).and_then(|event| event.to)
        });
        self.events.focus().narrow(start..).into_iter().filter(move |event| {
            let about_database = filter.database.is_none_or(|database| {
                if event.database == Some(database) {
                    if gives(event) {
                        owner = event.to;
                    }
                    return true;
                }
                event.what == What::ServerExpired && event.from.is_some() && event.from == owner
            });
            let about_server =
                filter.server.is_none_or(|server| event.from == Some(server) || event.to == Some(server));
            about_database && about_server
        })
    }
}

/// Whether a database has another owner since, or none. What is told of it beside that names servers, too.
fn gives(event: &Event) -> bool {
    event.epoch_after != event.epoch_before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Command, Entry, Epoch, Fact, Fleet, Incarnation, Name, Registration, Revision, Tenure, TimestampMs,
    };

    #[test]
    fn what_is_told_of_a_database_beside_its_owners_hides_no_death_of_its_server_s10() {
        let (database, owner) = (DatabaseId(1), ServerId(2));
        let name = |text: &str| Name::new(text).expect("a name");
        let register = |number: u64| Command::RegisterServer {
            registration: Registration {
                name: name(&format!("s{number}")),
                data_address: "a:1".into(),
                control_address: "a:2".into(),
                location: String::new(),
                capacity: 1,
            },
            supersedes: None,
            incarnation: Incarnation(number),
        };
        let tenure = Tenure { server: owner, incarnation: Incarnation(2) };
        let other = |what| Fact::new(what).database(database, Epoch(1)).server(ServerId(1));
        let commands = [
            Command::RaiseLevel { level: crate::Level::NEWEST },
            register(1),
            register(2),
            Command::CreateDatabase { name: name("d"), owner: Some(tenure), key: None },
            Command::RecordEvents { facts: vec![other(What::ConditionRaised), other(What::Released)] },
            Command::ExpireServer { server: owner, incarnation: tenure.incarnation },
        ];
        let mut fleet = Fleet::default();
        for (revision, command) in (1..).zip(commands) {
            fleet.apply(Revision(revision), &Entry::new(TimestampMs(0), command)).expect("a good history");
        }
        let filter = EventFilter { database: Some(database), ..EventFilter::default() };
        let page = fleet.events().read(Revision(9), EventsFrom::Since(TimestampMs(0)), filter, 100);
        let told: Vec<What> = page.events.iter().map(|event| event.what).collect();
        assert_eq!(told, [What::Created, What::ConditionRaised, What::Released, What::ServerExpired]);
    }
}
