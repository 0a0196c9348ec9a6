//! What a process counts and measures, in Prometheus's text form.
//!
//! The roles record through the `metrics` macros; this is where the numbers end up. Durations are histograms with
//! fixed buckets, so that they can be added up over processes.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::time::{MissedTickBehavior, interval};

mod process;

/// Upper bounds of the buckets of every `…_seconds` histogram, from 50 µs to 30 s.
const SECONDS: [f64; 18] = [
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0,
];

/// Upper bounds of the buckets of every `…_bytes` histogram, from 256 B to 256 MiB.
const BYTES: [f64; 11] = [
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262144.0,
    1048576.0,
    4194304.0,
    16777216.0,
    67108864.0,
    268435456.0,
];

/// Upper bounds of the buckets of every `…_transactions` histogram: how many shared something.
const TRANSACTIONS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// How often the histograms are folded, so that they stay small however rarely somebody reads them.
const UPKEEP: Duration = Duration::from_secs(5);

/// The numbers of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Starts recording. Call once, before any role runs.
    pub fn start(role: &'static str) -> Self {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_bytes".into()), &BYTES))
            .and_then(|builder| {
                builder.set_buckets_for_metric(Matcher::Suffix("_transactions".into()), &TRANSACTIONS)
            })
            .expect("BUG: the buckets are not empty")
            .install_recorder()
            .expect("BUG: recording starts once");
        describe_gauge!("stationmaster_build_info", "Always 1; the labels say what is running");
        gauge!("stationmaster_build_info", "version" => env!("CARGO_PKG_VERSION"), "role" => role).set(1.0);
        describe_counter!("process_cpu_seconds_total", "CPU time used, user and system");
        describe_gauge!("process_resident_memory_bytes", "Memory in RAM");
        describe_gauge!("process_open_fds", "Open file descriptors");
        describe_gauge!("process_start_time_seconds", "When this process started, Unix time");
        Self(handle)
    }

    /// Everything, in Prometheus's text form.
    pub fn render(&self) -> String {
        if let Some(usage) = process::usage() {
            counter!("process_cpu_seconds_total").absolute(usage.cpu_seconds);
            gauge!("process_resident_memory_bytes").set(usage.resident_bytes);
            gauge!("process_open_fds").set(usage.open_fds);
            gauge!("process_start_time_seconds").set(usage.started_at);
        }
        // What only a server has: elsewhere it is empty.
        self.0.render() + &server::exposition()
    }

    /// Folds histograms for ever.
    pub async fn keep_up(self) {
        let mut ticks = interval(UPKEEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}
