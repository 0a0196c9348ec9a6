//! What monitors outside send (R60, R61): JSON in three forms. A whole post is taken, or refused with what is wrong.
//!
//! * Events: `{"source": "rack_temperature", "value": 41.5}`, or an array of these. They go the way of all events.
//! * Conditions: `{"condition": "maintenance", "starts_in_s": 600, "lasts_s": 1800, "reason": "new kernel"}`, or an array.
//! * Alertmanager's webhook, version 4: each firing alert is a condition, each resolved one the end of it.

mod alertmanager;

use std::time::{Duration, Instant};

use model::DatabaseId;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Event, Kind, Scope, Source, Unit,
    limits::{DECLARED_FOR, EVIDENCE_BYTES_MAX, POSTED_MAX, TIME_MAX},
    sources::EXTERNAL,
};

pub use alertmanager::alerts;

/// Who says what comes without another name.
const MONITOR: &str = "monitor";

/// A measurement of a monitor.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// Its source, which begins with `external.`.
    pub source: Source,
    /// Of what.
    pub scope: Scope,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
    /// Whether it may affect performance, and whether it may foretell a failure, if that was said.
    pub affects: Option<(bool, bool)>,
}

/// Somebody says that a condition is so, or no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Which.
    pub kind: Kind,
    /// Of what.
    pub scope: Scope,
    /// Whether it is so.
    pub raised: bool,
    /// In words.
    pub evidence: String,
    /// Who says so: what several say is over when none says it any more.
    pub by: String,
    /// How long it is so unless it is said again.
    pub lasts: Duration,
}

/// A post that is refused, as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPost {
    /// Not JSON, or not of the form.
    #[error("not understood: {0}")]
    Form(String),
    /// More at a time than is taken.
    #[error("{0} at a time are too many, send {POSTED_MAX} at most")]
    TooMany(usize),
    /// Something in it makes no sense.
    #[error("number {number}: {what}")]
    Item {
        /// Which, from 1.
        number: usize,
        /// What is wrong.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvent {
    source: String,
    value: f64,
    unit: Option<String>,
    database: Option<String>,
    affects: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCondition {
    condition: String,
    state: Option<String>,
    database: Option<String>,
    reason: Option<String>,
    starts_in_s: Option<u64>,
    lasts_s: Option<u64>,
}

impl Measurement {
    /// As an event that came now.
    pub fn event(&self, now: Instant) -> Event {
        Event { source: self.source.clone(), scope: self.scope, value: self.value, unit: self.unit, at: now }
    }
}

/// Reads events.
///
/// # Errors
/// [`BadPost`]; nothing of the post counts then.
pub fn events(body: &[u8]) -> Result<Vec<Measurement>, BadPost> {
    each::<RawEvent, _>(body, |raw| {
        let name = raw.source.strip_prefix(EXTERNAL).unwrap_or(&raw.source);
        let source =
            format!("{EXTERNAL}{name}").parse().map_err(|error: crate::BadWord| error.to_string())?;
        let units = || Unit::ALL.map(|unit| format!("{:?}", unit.name())).join(", ");
        let unit = raw.unit.as_deref().unwrap_or(Unit::Count.name());
        let unit = unit.parse().map_err(|()| format!("`unit` is one of {}; this is {unit:?}", units()))?;
        if !raw.value.is_finite() {
            return Err("`value` is no number".into());
        }
        let affects = raw.affects.as_deref().map(affects).transpose()?;
        Ok(Measurement { source, scope: scope(raw.database.as_deref())?, value: raw.value, unit, affects })
    })
}

/// Reads conditions.
///
/// # Errors
/// [`BadPost`]; nothing of the post counts then.
pub fn conditions(body: &[u8]) -> Result<Vec<Declaration>, BadPost> {
    each::<RawCondition, _>(body, |raw| {
        let kind = raw.condition.parse().map_err(|error: crate::BadWord| error.to_string())?;
        let raised = match raw.state.as_deref() {
            None | Some("raised") => true,
            Some("cleared") => false,
            Some(other) => return Err(format!("`state` is \"raised\" or \"cleared\"; this is {other:?}")),
        };
        let (starts, lasts) = (seconds("starts_in_s", raw.starts_in_s)?, seconds("lasts_s", raw.lasts_s)?);
        let reason = raw.reason.unwrap_or_default();
        let when = match (starts, lasts) {
            (None, None) => String::new(),
            (Some(starts), None) => format!("begins in {} s", starts.as_secs()),
            (None, Some(lasts)) => format!("lasts {} s", lasts.as_secs()),
            (Some(starts), Some(lasts)) => {
                format!("begins in {} s, lasts {} s", starts.as_secs(), lasts.as_secs())
            }
        };
        let words: Vec<&str> = [&*reason, &*when].into_iter().filter(|words| !words.is_empty()).collect();
        Ok(Declaration {
            kind,
            scope: scope(raw.database.as_deref())?,
            raised,
            evidence: cut(&words.join("; ")),
            by: MONITOR.into(),
            lasts: starts.unwrap_or_default() + lasts.unwrap_or(DECLARED_FOR),
        })
    })
}

/// Reads one or several of something, and gives up at the first that makes no sense.
fn each<R: DeserializeOwned, T>(
    body: &[u8],
    read: impl Fn(R) -> Result<T, String>,
) -> Result<Vec<T>, BadPost> {
    let value: serde_json::Value = json(body)?;
    let items = match value {
        serde_json::Value::Array(items) => items,
        one => vec![one],
    };
    if items.len() > POSTED_MAX {
        return Err(BadPost::TooMany(items.len()));
    }
    let read = |(number, item)| {
        let raw = serde_json::from_value(item).map_err(|error| error.to_string());
        raw.and_then(&read).map_err(|what| BadPost::Item { number: number + 1, what: cut(&what) })
    };
    items.into_iter().enumerate().map(read).collect()
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, BadPost> {
    serde_json::from_slice(body).map_err(|error| BadPost::Form(cut(&error.to_string())))
}

fn affects(words: &[String]) -> Result<(bool, bool), String> {
    let known = |word: &String| word == "performance" || word == "failure";
    if let Some(other) = words.iter().find(|word| !known(word)) {
        return Err(format!("`affects` is a list of \"performance\" and \"failure\"; {other:?} is neither"));
    }
    let has = |word: &str| words.iter().any(|given| given == word);
    Ok((has("performance"), has("failure")))
}

fn scope(database: Option<&str>) -> Result<Scope, String> {
    let Some(text) = database else { return Ok(Scope::Server) };
    let id: Result<DatabaseId, _> = text.parse();
    id.map(Scope::Database).map_err(|_| format!("`database` must be an id like db-5; this is {text:?}"))
}

fn seconds(key: &str, given: Option<u64>) -> Result<Option<Duration>, String> {
    let most = TIME_MAX.as_secs();
    match given {
        Some(given) if given > most => Err(format!("`{key}` is at most {most}, a day; this is {given}")),
        given => Ok(given.map(Duration::from_secs)),
    }
}

/// A text that is short, and on one line.
fn cut(text: &str) -> String {
    let mut short: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let end = (0..=EVIDENCE_BYTES_MAX.min(short.len())).rev().find(|at| short.is_char_boundary(*at));
    short.truncate(end.unwrap_or(0));
    short
}

#[cfg(test)]
mod tests;
