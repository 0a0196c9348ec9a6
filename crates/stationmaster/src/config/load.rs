//! `[load]` and `[prometheus]` of a controller: by which loads it places databases.

use std::path::PathBuf;

use controller::{LoadSettings, PrometheusSettings};
use rpc::load::LoadSource;

use super::{
    document::Document,
    reader::{Reader, Resolved},
    setting::{LoadSources, Urls},
};

/// The table that says which loads count.
pub const LOAD: &str = "load";
/// The table of a Prometheus server.
pub const PROMETHEUS: &str = "prometheus";

/// Longest time in these tables, in milliseconds.
const DAY_MS: u64 = 24 * 3_600_000;

/// Reads both; Prometheus is asked only where it is among the sources.
pub fn read(document: &mut Document) -> (LoadSettings, Option<PrometheusSettings>, Vec<Resolved>) {
    let (urls, settings, mut resolved) = prometheus(document);
    let mut reader = Reader::new(document, LOAD);
    let default = LoadSettings::default();
    // Where Prometheus is named it is listened to, behind what is faster.
    let mut sources = default.sources.clone();
    sources.extend(urls.then_some(LoadSource::Prometheus));
    let LoadSources(sources) = reader.or("sources", LoadSources(sources));
    let asked = sources.contains(&LoadSource::Prometheus);
    if asked && !urls {
        reader.complain("sources", "names \"prometheus\", but [prometheus] has no `urls`".into());
    }
    let load = LoadSettings {
        sources,
        max_age: reader.millis("max_age_ms", default.max_age, 2_000..=DAY_MS),
        half_life: reader.millis("half_life_ms", default.half_life, 1_000..=DAY_MS),
        clients_half_life: reader.millis("clients_half_life_ms", default.clients_half_life, 1_000..=DAY_MS),
        clients_min: reader.number("clients_requests_min", default.clients_min, 1..=1_000_000_000),
        warmup: reader.millis("warmup_ms", default.warmup, 1_000..=DAY_MS),
        warmup_max: reader.millis("warmup_ms_max", default.warmup_max, 1_000..=DAY_MS),
    };
    resolved.extend(reader.finish());
    (load, settings.filter(|_| asked && urls), resolved)
}

fn prometheus(document: &mut Document) -> (bool, Option<PrometheusSettings>, Vec<Resolved>) {
    let mut reader = Reader::new(document, PROMETHEUS);
    let urls = reader.optional::<Urls>("urls");
    let given = urls.is_some();
    let default = PrometheusSettings::new(urls.map(|Urls(urls)| urls).unwrap_or_default());
    let secure = default.urls.iter().any(|url| url.starts_with("https:"));
    let percent = (default.limit * 100.0) as u64;
    let settings = PrometheusSettings {
        token_file: reader.optional::<PathBuf>("token_file"),
        ca_file: reader.optional::<PathBuf>("ca_file"),
        timeout: reader.millis("timeout_ms", default.timeout, 50..=60_000),
        interval: reader.millis("interval_ms", default.interval, 500..=DAY_MS),
        warmup: reader.millis("warmup_ms", default.warmup, 0..=DAY_MS),
        max_age: reader.millis("max_age_ms", default.max_age, 2_000..=DAY_MS),
        limit: reader.number("limit_percent", percent, 1..=10_000) as f64 / 100.0,
        coverage_min: reader.number("coverage_min", default.coverage_min as u64, 0..=1_000_000) as f64,
        server_load: reader.or("server_load", default.server_load.clone()),
        age: reader.or("age", default.age.clone()),
        coverage: reader.or("coverage", default.coverage.clone()),
        ..default
    };
    if secure && settings.ca_file.is_none() {
        reader.complain(
            "urls",
            "has https, which needs `ca_file`: a file with the certificates to trust".into(),
        );
    }
    for (key, query) in [("server_load", &settings.server_load), ("age", &settings.age)] {
        if query.trim().is_empty() {
            reader.complain(key, "must be a PromQL query".into());
        }
    }
    (given, given.then_some(settings), reader.finish())
}
