//! One collection: what was measured since its last report.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use directive::action::{Collect, Subject};

use super::{histogram::Histogram, process::Usage};

/// Statements that are told apart between two reports; the others count together.
const SHAPES_MAX: usize = 128;
/// Errors that are listed between two reports.
const ERRORS_MAX: usize = 128;

/// A call of the application.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample<'a> {
    pub(crate) text: &'a str,
    pub(crate) us: u64,
    pub(crate) rows: u64,
    pub(crate) failed: bool,
}

/// What is told of a statement.
#[derive(Debug, Default)]
struct Query {
    times: Histogram,
    rows: u64,
    failed: u64,
}

/// A collection.
pub(crate) struct Collection {
    pub(crate) spec: Collect,
    due: Instant,
    calls: Histogram,
    failed: u64,
    queries: BTreeMap<String, Query>,
    errors: Vec<Record>,
    errors_more: u64,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Nanoseconds since 1970.
    pub(crate) at_ns: u64,
    /// What it is about.
    pub(crate) subject: &'static str,
    pub(crate) numbers: Vec<(&'static str, u64)>,
    pub(crate) texts: Vec<(&'static str, String)>,
}

impl Record {
    fn now(subject: &'static str) -> Record {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ns = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        Record { at_ns, subject, numbers: Vec::new(), texts: Vec::new() }
    }
}

impl Collection {
    pub(crate) fn new(spec: Collect) -> Collection {
        Collection {
            due: Instant::now() + Duration::from_millis(spec.interval_ms),
            spec,
            calls: Histogram::default(),
            failed: 0,
            queries: BTreeMap::new(),
            errors: Vec::new(),
            errors_more: 0,
        }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    pub(crate) fn called(&mut self, sample: &Sample<'_>) {
        self.calls.add(sample.us);
        self.failed += u64::from(sample.failed);
        let looked_at = self.spec.of.contains(&Subject::Query)
            && rand::random_range(0..1_000) < self.spec.sample_per_mille;
        if !looked_at {
            return;
        }
        let mut shape = sql::shape(sample.text);
        if self.queries.len() >= SHAPES_MAX && !self.queries.contains_key(&shape) {
            shape = "others".to_owned();
        }
        let query = self.queries.entry(shape).or_default();
        query.times.add(sample.us);
        query.rows += sample.rows;
        query.failed += u64::from(sample.failed);
    }

    pub(crate) fn failed(&mut self, class: &'static str, code: Option<&str>, server: &str) {
        if !self.spec.of.contains(&Subject::Errors) {
            return;
        }
        if self.errors.len() >= ERRORS_MAX {
            self.errors_more += 1;
            return;
        }
        let texts = [("class", class.to_owned()), ("server", server.to_owned())];
        let code = code.map(|code| ("sqlstate", code.to_owned()));
        let record = Record { texts: texts.into_iter().chain(code).collect(), ..Record::now("errors") };
        self.errors.push(record);
    }

    /// What was measured; begins anew.
    pub(crate) fn take(&mut self, now: Instant, client: Option<Usage>) -> Vec<Record> {
        let spec = self.spec.clone();
        let mut records = Vec::new();
        if let Some(Usage { memory_bytes, cpu_ms, clients }) = client {
            let numbers =
                vec![("memory_bytes", memory_bytes), ("cpu_ms", cpu_ms), ("clients", clients as u64)];
            records.push(Record { numbers, ..Record::now("client") });
        }
        if spec.of.contains(&Subject::Application) {
            let numbers = times(&self.calls, self.failed);
            records.push(Record { numbers, ..Record::now("application") });
        }
        for (shape, query) in std::mem::take(&mut self.queries) {
            let mut numbers = times(&query.times, query.failed);
            numbers.push(("rows", query.rows));
            records.push(Record { numbers, texts: vec![("query", shape)], ..Record::now("query") });
        }
        records.append(&mut self.errors);
        if self.errors_more > 0 {
            records.push(Record { numbers: vec![("more", self.errors_more)], ..Record::now("errors") });
        }
        for record in &mut records {
            record.texts.push(("collection", spec.name.clone()));
        }
        *self = Collection { due: now + Duration::from_millis(spec.interval_ms), ..Collection::new(spec) };
        records
    }
}

fn times(times: &Histogram, failed: u64) -> Vec<(&'static str, u64)> {
    vec![
        ("calls", times.count()),
        ("failed", failed),
        ("sum_us", times.sum_us()),
        ("p50_us", times.quantile_us(500)),
        ("p99_us", times.quantile_us(990)),
        ("longest_us", times.longest_us()),
    ]
}
