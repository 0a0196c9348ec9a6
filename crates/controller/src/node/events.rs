//! Telling what happened: any controller reads it from its own map.

use model::{
    DatabaseId, Event, EventFilter, EventId, EventLog, EventPage, EventsFrom, Fleet, Name, Revision, ServerId,
};
use rpc::{
    Refusal,
    controller::DatabaseRef,
    events::{EventInfo, EventsPage, EventsRequest, ServerNamed},
    limits::EVENTS_PAGE_MAX,
};
use tokio::time::{Duration, Instant, timeout_at};

use super::Node;
use crate::limits::WATCH_WAIT_MAX;

impl Node {
    /// The events that are wanted; waits for one when there is none.
    ///
    /// # Errors
    /// No such database or server.
    pub async fn events(&self, request: EventsRequest) -> Result<EventsPage, Refusal> {
        let EventsRequest { mut from, database, server, limit, wait_ms } = request;
        let limit = limit.clamp(1, EVENTS_PAGE_MAX) as usize;
        let deadline = Instant::now() + Duration::from_millis(wait_ms.into()).min(WATCH_WAIT_MAX);
        let mut revisions = self.view.revisions();
        let mut overrun = false;
        loop {
            revisions.borrow_and_update();
            let (log, now) = self.log();
            let behind = matches!(from, EventsFrom::After(id) if id.revision > now);
            if !behind {
                let filter = EventFilter {
                    database: database.as_ref().map(|named| self.database_of(named, &log)).transpose()?,
                    server: server.as_deref().map(|name| self.server_of(name)).transpose()?,
                };
                let page = log.read(now, from, filter, limit);
                // Whatever was scanned in vain need not be scanned again.
                from = EventsFrom::After(page.next);
                overrun |= page.overrun;
                if !page.events.is_empty() || overrun {
                    return Ok(self.page(page, now, overrun));
                }
            }
            let changed = async {
                tokio::select! {
                    biased;
                    () = self.host.shutdown.cancelled() => false,
                    changed = revisions.changed() => changed.is_ok(),
                }
            };
            if !timeout_at(deadline, changed).await.unwrap_or(false) {
                let next = match from {
                    EventsFrom::After(next) => next,
                    EventsFrom::Since(_) | EventsFrom::Last => EventId::end_of(now),
                };
                return Ok(EventsPage { events: Vec::new(), next, overrun, revision: now });
            }
        }
    }

    /// What happened up to now, without holding up what comes.
    pub(super) fn log(&self) -> (EventLog, Revision) {
        self.view.read(|state| (state.fleet().events().clone(), state.fleet().revision()))
    }

    fn database_of(&self, database: &DatabaseRef, log: &EventLog) -> Result<DatabaseId, Refusal> {
        let name = match database {
            DatabaseRef::Id(id) => return Ok(*id),
            DatabaseRef::Name(name) => name,
        };
        let known = self.view.read(|state| state.fleet().database_named(name));
        let dropped = || {
            let named = |event: &&Event| event.name.as_deref() == Some(name) && event.database.is_some();
            log.iter().rev().find(named).and_then(|event| event.database)
        };
        known.or_else(dropped).ok_or_else(|| Refusal::DatabaseNameUnknown { name: name.clone() })
    }

    fn server_of(&self, name: &str) -> Result<ServerId, Refusal> {
        let known = self.view.read(|state| state.fleet().server_named(name).map(|(id, _)| id));
        known.ok_or_else(|| Refusal::ServerNameUnknown { name: name.into() })
    }

    fn page(&self, page: EventPage, revision: Revision, overrun: bool) -> EventsPage {
        let EventPage { events, next, .. } = page;
        let events = self.view.read(|state| {
            events.into_iter().map(|event| shown(state.fleet(), event)).collect::<Vec<EventInfo>>()
        });
        EventsPage { events, next, overrun, revision }
    }
}

fn shown(fleet: &Fleet, event: Event) -> EventInfo {
    let named = |id: ServerId| {
        let name: Option<Name> = fleet.server(id).map(|server| server.name.clone());
        ServerNamed { id, name }
    };
    let Event { id, at, what, cause, database, name, from, to, epoch_before, epoch_after, took_us, evidence } =
        event;
    EventInfo {
        id,
        at,
        what,
        cause,
        database,
        name,
        from: from.map(named),
        to: to.map(named),
        epoch_before,
        epoch_after,
        took_us,
        evidence: evidence.to_string(),
    }
}
