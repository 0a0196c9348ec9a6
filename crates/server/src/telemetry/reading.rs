//! Reading a report: OTLP's JSON for logs, as the Rust driver writes it, and for metrics, as Python's does.
//!
//! Anything else in it is ignored, so that later drivers can tell more. Whatever it says, little is kept of it.

use rpc::environment::Figures;
use serde::Deserialize;

use crate::limits::{ERRORS_TOLD_MAX, TOLD_TEXT_BYTES_MAX};

/// What one report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Which process says so, if it does.
    pub instance: Option<String>,
    /// What it calls itself.
    pub application: Option<String>,
    /// Where it runs.
    pub location: Option<String>,
    /// What it measured.
    pub figures: Figures,
}

/// It is no report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not OTLP's JSON for logs or metrics")]
pub struct Misread;

#[derive(Deserialize)]
struct Body {
    #[serde(default, rename = "resourceLogs")]
    logs: Vec<Logs>,
    #[serde(default, rename = "resourceMetrics")]
    metrics: Vec<Metrics>,
}

#[derive(Deserialize)]
struct Logs {
    #[serde(default)]
    resource: Resource,
    #[serde(default, rename = "scopeLogs")]
    scopes: Vec<ScopeLogs>,
}

#[derive(Deserialize)]
struct Metrics {
    #[serde(default)]
    resource: Resource,
    #[serde(default, rename = "scopeMetrics")]
    scopes: Vec<ScopeMetrics>,
}

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: Value,
}

#[derive(Default, Deserialize)]
struct Value {
    #[serde(rename = "stringValue")]
    text: Option<String>,
    #[serde(rename = "intValue")]
    number: Option<Integer>,
}

/// OTLP's JSON has 64-bit integers as texts, and takes numbers, too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Integer {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
struct ScopeLogs {
    #[serde(default, rename = "logRecords")]
    records: Vec<LogRecord>,
}

#[derive(Deserialize)]
struct LogRecord {
    #[serde(default)]
    body: Value,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct ScopeMetrics {
    #[serde(default)]
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    name: String,
    gauge: Option<Points>,
    sum: Option<Points>,
    histogram: Option<Points>,
}

#[derive(Deserialize)]
struct Points {
    #[serde(default, rename = "dataPoints")]
    points: Vec<Point>,
}

#[derive(Deserialize)]
struct Point {
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default, rename = "asDouble")]
    value: f64,
    count: Option<Integer>,
    #[serde(default)]
    sum: f64,
    #[serde(default)]
    max: f64,
    #[serde(default, rename = "bucketCounts")]
    counts: Vec<Integer>,
    #[serde(default, rename = "explicitBounds")]
    bounds: Vec<f64>,
}

impl Report {
    /// Reads one.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(body: &str) -> Result<Self, Misread> {
        let body: Body = serde_json::from_str(body).map_err(|_| Misread)?;
        if body.logs.is_empty() && body.metrics.is_empty() {
            return Err(Misread);
        }
        let mut report = Self::default();
        let mut queries = Figures::default();
        for logs in &body.logs {
            report.resource(&logs.resource);
            let records = logs.scopes.iter().flat_map(|scope| &scope.records);
            records.for_each(|record| report.record(record, &mut queries));
        }
        for metrics in &body.metrics {
            report.resource(&metrics.resource);
            let found = metrics.scopes.iter().flat_map(|scope| &scope.metrics);
            found.for_each(|metric| report.metric(metric, &mut queries));
        }
        // What was said of single queries counts only where nothing was said of all calls.
        if report.figures.calls == 0 {
            let Figures { calls, failed, sum_us, p50_us, p99_us, longest_us, .. } = queries;
            report.figures = Figures { calls, sum_us, p50_us, p99_us, longest_us, ..report.figures };
            report.figures.failed = report.figures.failed.max(failed);
        }
        Ok(report)
    }

    fn resource(&mut self, resource: &Resource) {
        for Attribute { key, value } in &resource.attributes {
            let place = match key.as_str() {
                "service.name" => &mut self.application,
                "service.instance.id" => &mut self.instance,
                "stationmaster.location" => &mut self.location,
                _ => continue,
            };
            *place = value.text.as_deref().map(short);
        }
    }

    fn record(&mut self, record: &LogRecord, queries: &mut Figures) {
        let number = |wanted: &str| {
            let mut found = record.attributes.iter().filter(|one| one.key == wanted);
            found.next().and_then(|one| one.value.number.as_ref()).map_or(0, Integer::value)
        };
        let text = |wanted: &str| {
            let mut found = record.attributes.iter().filter(|one| one.key == wanted);
            found.next().and_then(|one| one.value.text.as_deref())
        };
        let figures = || Figures {
            calls: number("calls"),
            failed: number("failed"),
            sum_us: number("sum_us"),
            p50_us: number("p50_us"),
            p99_us: number("p99_us"),
            longest_us: number("longest_us"),
            ..Figures::default()
        };
        match record.body.text.as_deref() {
            Some("application") => super::add(&mut self.figures, &figures()),
            Some("query") => super::add(queries, &figures()),
            Some("client") => {
                self.figures.memory_bytes = number("memory_bytes");
                self.figures.cpu_ms = number("cpu_ms");
                self.figures.connections = number("clients");
            }
            Some("errors") => {
                let class = text("class").unwrap_or("others");
                let error =
                    text("sqlstate").map_or_else(|| class.to_owned(), |code| format!("{class} {code}"));
                count(&mut self.figures.errors, &error, number("more").max(1), ERRORS_TOLD_MAX);
            }
            Some(_) | None => {}
        }
    }

    fn metric(&mut self, metric: &Metric, queries: &mut Figures) {
        let points = [&metric.histogram, &metric.sum, &metric.gauge].into_iter().flatten();
        for point in points.flat_map(|points| &points.points) {
            match metric.name.as_str() {
                "db.client.operation.duration" => super::add(&mut self.figures, &point.figures()),
                "stationmaster.query.duration" => super::add(queries, &point.figures()),
                "process.memory.usage" => self.figures.memory_bytes = whole(point.value),
                "process.cpu.time" => self.figures.cpu_ms = whole(point.value * 1_000.0),
                "db.client.connection.count" => self.figures.connections = whole(point.value),
                "stationmaster.errors" => {
                    let mut kind = point.attributes.iter().filter(|one| one.key == "error.type");
                    let kind = kind.next().and_then(|one| one.value.text.as_deref()).unwrap_or("others");
                    let many = whole(point.value);
                    self.figures.failed = self.figures.failed.saturating_add(many);
                    count(&mut self.figures.errors, kind, many, ERRORS_TOLD_MAX);
                }
                _ => {}
            }
        }
    }
}

impl Point {
    /// A histogram in seconds.
    fn figures(&self) -> Figures {
        let counts: Vec<u64> = self.counts.iter().map(Integer::value).collect();
        let calls = self.count.as_ref().map_or(0, Integer::value);
        let quantile = |share: f64| {
            let mut seen = 0_u64;
            let bucket = counts.iter().position(|count| {
                seen = seen.saturating_add(*count);
                seen > 0 && seen as f64 >= calls as f64 * share
            });
            // The last bucket has no upper end but the longest.
            let bound = bucket.map_or(self.max, |at| self.bounds.get(at).copied().unwrap_or(self.max));
            whole(bound.min(self.max) * 1e6)
        };
        Figures {
            calls,
            sum_us: whole(self.sum * 1e6),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            longest_us: whole(self.max * 1e6),
            ..Figures::default()
        }
    }
}

impl Integer {
    fn value(&self) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.parse().unwrap_or(0),
        }
    }
}

/// Counts an error, under `others` when there are too many kinds of it.
pub(super) fn count(errors: &mut Vec<(String, u64)>, error: &str, many: u64, max: usize) {
    let error = short(error);
    let full = errors.len() + 1 >= max && !errors.iter().any(|(known, _)| *known == error);
    let error = if full { "others".to_owned() } else { error };
    match errors.iter_mut().find(|(known, _)| *known == error) {
        Some((_, count)) => *count = count.saturating_add(many),
        None => errors.push((error, many)),
    }
}

/// A text of a stranger's for a table: short, and without control characters.
pub fn short(text: &str) -> String {
    let plain = text.chars().map(|letter| if letter.is_control() { '?' } else { letter });
    let mut short = String::new();
    for letter in plain {
        if short.len() + letter.len_utf8() > TOLD_TEXT_BYTES_MAX {
            break;
        }
        short.push(letter);
    }
    short
}

/// What is below zero or no number is zero; what is too large is the largest.
fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the Rust driver writes it.
    const LOGS: &str = r#"{"resourceLogs":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"till"}},
        {"key":"service.instance.id","value":{"stringValue":"i-1"}},
        {"key":"stationmaster.location","value":{"stringValue":"west"}}]},
        "scopeLogs":[{"scope":{"name":"stationmaster.driver"},"logRecords":[
        {"timeUnixNano":"7","body":{"stringValue":"client"},"attributes":[{"key":"memory_bytes","value":{"intValue":"99"}}]},
        {"timeUnixNano":"7","body":{"stringValue":"application"},"attributes":[
            {"key":"calls","value":{"intValue":"20"}},{"key":"failed","value":{"intValue":"2"}},
            {"key":"p99_us","value":{"intValue":"900000"}}]},
        {"timeUnixNano":"7","body":{"stringValue":"query"},"attributes":[{"key":"calls","value":{"intValue":"20"}}]},
        {"body":{"stringValue":"errors"},"attributes":[{"key":"class","value":{"stringValue":"connect"}}]},
        {"body":{"stringValue":"errors"},"attributes":[{"key":"class","value":{"stringValue":"connect"}}]},
        {"body":{"stringValue":"later"},"attributes":[{"key":"x","value":{"boolValue":true}}]}]}]}]}"#;

    /// As Python's driver writes it.
    const METRICS: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"shop"}}]},"scopeMetrics":[{"metrics":[
        {"name":"db.client.operation.duration","unit":"s","histogram":{"aggregationTemporality":1,"dataPoints":[
            {"attributes":[],"count":"100","sum":1.5,"max":0.8,"bucketCounts":["0","98","2"],"explicitBounds":[0.001,0.01]}]}},
        {"name":"stationmaster.errors","sum":{"dataPoints":[
            {"attributes":[{"key":"error.type","value":{"stringValue":"40001"}}],"asDouble":3.0}]}}]}]}]}"#;

    #[test]
    fn reports_of_both_drivers_are_read_r78() {
        let report = Report::read(LOGS).expect("a report");
        let said = (report.instance.as_deref(), report.application.as_deref(), report.location.as_deref());
        assert_eq!(said, (Some("i-1"), Some("till"), Some("west")));
        let Figures { calls, failed, p99_us, memory_bytes, errors, .. } = report.figures;
        assert_eq!(
            (calls, failed, p99_us, memory_bytes),
            (20, 2, 900_000, 99),
            "single queries do not add up"
        );
        assert_eq!(errors, [("connect".to_owned(), 2)]);
        let report = Report::read(METRICS).expect("a report");
        let Figures { calls, failed, p50_us, p99_us, sum_us, .. } = report.figures;
        assert_eq!((calls, failed, p50_us, p99_us, sum_us), (100, 3, 10_000, 800_000, 1_500_000));
        let alone = LOGS.replace("\"application\"", "\"unknown\"");
        assert_eq!(
            Report::read(&alone).expect("a report").figures.calls,
            20,
            "then queries are all there is"
        );
    }

    #[test]
    fn what_is_hostile_is_refused_or_cut_short_r78() {
        for text in ["", "{}", "[]", "null", "{\"resourceLogs\":7}", "\u{0}", &"[".repeat(100_000)] {
            assert_eq!(Report::read(text), Err(Misread), "{:.20}", text);
        }
        let record = |class: &str| {
            format!(
                r#"{{"body":{{"stringValue":"errors"}},"attributes":[{{"key":"class","value":{{"stringValue":"{class}"}}}}]}}"#
            )
        };
        let records: Vec<String> =
            (0..500).map(|number| record(&format!("{number}{}", "x".repeat(500)))).collect();
        let text = format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"a\u0007{}"}}}}]}},"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#,
            "é".repeat(500),
            records.join(",")
        );
        let report = Report::read(&text).expect("a report");
        let name = report.application.expect("it has one");
        assert!(name.starts_with("a?") && name.len() <= TOLD_TEXT_BYTES_MAX, "{name}");
        assert_eq!(report.figures.errors.len(), ERRORS_TOLD_MAX);
        let longest = report.figures.errors.iter().map(|(error, _)| error.len()).max();
        assert!(longest <= Some(TOLD_TEXT_BYTES_MAX));
        let wild = LOGS.replace("\"20\"", "\"99999999999999999999\"").replace("\"2\"", "\"-3\"");
        assert_eq!(Report::read(&wild).expect("a report").figures.calls, 0);
    }
}
