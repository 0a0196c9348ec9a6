//! `stationmaster events`: what happened, and why.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use model::{EventId, EventsFrom, TimestampMs};
use rpc::{
    Controllers,
    controller::DatabaseRef,
    events::{EventInfo, EventsPage, EventsRequest},
    limits::EVENTS_PAGE_MAX,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Cell, Listing, Reach, cluster::answered, cluster::explain, listing::print};
use crate::{failure::Usage, offline::Moment};

/// What happened in the fleet, and why: every decision, oldest first
#[derive(clap::Args)]
pub struct Request {
    /// Go on showing what happens, until it is interrupted
    #[arg(long, short)]
    follow: bool,
    /// Only what is about this database, by name or id, and the end of its server's life
    #[arg(long, value_name = "DATABASE")]
    database: Option<String>,
    /// Only what is about this server
    #[arg(long, value_name = "SERVER")]
    server: Option<String>,
    /// From then on: so long ago (90s, 10min, 2h, 1d), a time (2026-11-22T02:30:00Z), or after an event's id
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<EventsFrom>,
    /// At most so many, the newest ones unless --since is given
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    reach: Reach,
}

const KEYS: &[&str] = &["time", "id", "what", "subject", "server", "epoch", "took", "cause", "evidence"];
/// Widths of the columns while following, where what comes is not known.
const WIDTHS: [usize; 8] = [24, 7, 17, 16, 22, 8, 9, 19];

/// How long a controller is asked to wait for an event. Shorter than a call may take.
const WAIT_MS: u32 = 2_000;
/// Pause before the controllers are asked again when none answers.
const RETRY: Duration = Duration::from_millis(500);

/// Does it.
pub async fn run(request: Request) -> anyhow::Result<ExitCode> {
    let Request { follow, database, server, since, limit, reach } = request;
    let cluster = reach.cluster()?;
    let wanted = EventsRequest {
        from: since.unwrap_or(EventsFrom::Last),
        database: database.as_deref().map(DatabaseRef::parse),
        server,
        limit: limit.clamp(1, EVENTS_PAGE_MAX),
        wait_ms: 0,
    };
    if !follow {
        let page = ask(&cluster.freshest().await?, &wanted).await?;
        tell_overrun(&page, since);
        print(reach.json, || page.events.iter().map(object).collect(), || listing(&page.events).table())?;
        return Ok(ExitCode::SUCCESS);
    }
    cluster.learn().await;
    let mut out = Following { json: reach.json, headed: false };
    let page = ask(&cluster.freshest().await?, &wanted).await?;
    tell_overrun(&page, since);
    let mut next = page.next;
    if !out.show(&page.events)? {
        return Ok(ExitCode::SUCCESS);
    }
    let mut wanted = EventsRequest { limit: EVENTS_PAGE_MAX, wait_ms: WAIT_MS, ..wanted };
    let mut reached = true;
    loop {
        wanted.from = EventsFrom::After(next);
        match any(&cluster.controllers, &wanted).await {
            Ok(page) => {
                reached = true;
                tell_overrun(&page, Some(wanted.from));
                next = page.next;
                if !out.show(&page.events)? {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            Err(refused @ rpc::Error::Refused(_)) => return Err(explain(refused)),
            Err(error) => {
                if reached {
                    eprintln!("{error}; trying on");
                }
                reached = false;
                sleep(RETRY).await;
            }
        }
    }
}

/// The newest events about a database.
pub(super) async fn of_database(
    controllers: &Controllers,
    database: DatabaseRef,
    limit: u32,
) -> anyhow::Result<Vec<EventInfo>> {
    let from = EventsFrom::Last;
    let wanted = EventsRequest { from, database: Some(database), server: None, limit, wait_ms: 0 };
    Ok(ask(controllers, &wanted).await?.events)
}

async fn ask(controllers: &Controllers, wanted: &EventsRequest) -> anyhow::Result<EventsPage> {
    answered(any(controllers, wanted).await)
}

async fn any(controllers: &Controllers, wanted: &EventsRequest) -> Result<EventsPage, rpc::Error> {
    let asked = controllers.any(|client, context| {
        let wanted = wanted.clone();
        Box::pin(async move { client.events(context, wanted).await })
    });
    asked.await?.map_err(rpc::Error::Refused)
}

/// Says so when what was asked for is not all there any more.
fn tell_overrun(page: &EventsPage, from: Option<EventsFrom>) {
    if !page.overrun {
        return;
    }
    let from = match from {
        Some(EventsFrom::After(id)) => format!("after {id}"),
        Some(EventsFrom::Since(at)) => format!("from {} on", Moment(at)),
        Some(EventsFrom::Last) | None => return,
    };
    let first = page.events.first().map_or_else(|| "the next one".into(), |event| event.id.to_string());
    eprintln!("events {from} and before {first} are forgotten: the fleet remembers only the newest");
}

/// Prints event after event.
struct Following {
    json: bool,
    headed: bool,
}

impl Following {
    /// Prints some more; tells whether anybody still reads.
    fn show(&mut self, events: &[EventInfo]) -> io::Result<bool> {
        let mut text = String::new();
        if !self.json && !std::mem::replace(&mut self.headed, true) {
            text += &line(KEYS.iter().map(|key| key.to_uppercase()));
        }
        for event in events {
            text += &match self.json {
                true => format!("{}\n", object(event)),
                false => line(row(event).into_iter().map(|cell| cell.shown())),
            };
        }
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            result => result.map(|()| true),
        }
    }
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let widths = WIDTHS.into_iter().chain(std::iter::repeat(0));
    let cells: Vec<String> = cells.zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    format!("{}\n", cells.join("  ").trim_end())
}

/// Events as a table.
pub(super) fn listing(events: &[EventInfo]) -> Listing {
    events.iter().fold(Listing::new(KEYS), |listing, event| listing.with(row(event)))
}

/// The cells under [`KEYS`].
fn row(event: &EventInfo) -> Vec<Cell> {
    vec![
        Cell::text(Moment(event.at)),
        Cell::text(event.id),
        Cell::text(event.what),
        Cell::maybe(event.subject()),
        Cell::maybe(event.servers()),
        Cell::maybe(event.epochs()),
        Cell::maybe(event.took()),
        Cell::maybe(event.cause),
        Cell::maybe(Some(&event.evidence)),
    ]
}

/// An event for programs: every field by itself.
pub(super) fn object(event: &EventInfo) -> Value {
    let text = |value: Option<String>| value.map_or(Value::Null, Value::String);
    json!({
        "id": event.id.to_string(),
        "time": Moment(event.at).to_string(),
        "what": event.what.name(),
        "cause": event.cause.map(|cause| cause.name()),
        "database": text(event.database.map(|id| id.to_string())),
        "name": text(event.name.as_ref().map(ToString::to_string)),
        "from": text(event.from.as_ref().map(ToString::to_string)),
        "to": text(event.to.as_ref().map(ToString::to_string)),
        "epoch_before": event.epoch_before.map(|epoch| epoch.0),
        "epoch_after": event.epoch_after.map(|epoch| epoch.0),
        "took_us": event.took_us,
        "evidence": event.evidence,
    })
}

/// So long ago, a time, or an event's id.
fn since(text: &str) -> Result<EventsFrom, Usage> {
    if let Ok(id) = text.parse::<EventId>() {
        return Ok(EventsFrom::After(id));
    }
    if let Ok(Moment(at)) = text.parse() {
        return Ok(EventsFrom::Since(at));
    }
    let ago = ago_ms(text).ok_or_else(|| {
        Usage(format!(
            "{text:?} is neither a time (2026-11-22T02:30:00Z), nor so long ago (10min), nor an event's id"
        ))
    })?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    Ok(EventsFrom::Since(TimestampMs(now.saturating_sub(ago))))
}

fn ago_ms(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(end);
    let ms_each: u64 = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(ms_each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_an_id_a_time_or_so_long_ago() {
        assert_eq!(since("120.3").ok(), Some(EventsFrom::After("120.3".parse().expect("an id"))));
        let day = TimestampMs(86_400_000);
        assert_eq!(since("1970-01-02T00:00:00Z").ok(), Some(EventsFrom::Since(day)));
        assert_eq!(ago_ms("10min"), Some(600_000));
        assert_eq!(ago_ms("2 h"), Some(7_200_000));
        assert!(matches!(since("90s"), Ok(EventsFrom::Since(_))));
        for text in ["", "soon", "10 parsecs", "min", "1970-13-01T00:00:00Z"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
