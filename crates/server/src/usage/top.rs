//! Metrics of what is used: of the whole server, and of the databases that use most, at most [`SHOWN_MAX`] names at a
//! time, each for a while at least.
//!
//! The recorder behind the `metrics` macros keeps a label for ever, and counts in whole numbers only. So these series are
//! written here, and whoever shows the metrics of this process appends them ([`exposition`]).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use model::{DatabaseId, Name};
use rpc::load::DatabaseUsage;
use tokio::time::Instant;

/// Most databases that are shown.
pub const SHOWN_MAX: usize = 20;
/// For how long one is shown at least, unless it leaves: others do not take its place meanwhile.
const SHOWN_FOR: Duration = Duration::from_secs(600);

static EXPOSITION: Mutex<String> = Mutex::new(String::new());

/// What is to be appended to this process's metrics, in Prometheus's text form. Empty where no server runs.
pub fn exposition() -> String {
    EXPOSITION.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The whole server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Whole {
    /// Processor time used, in microseconds.
    pub cpu_us: u64,
    /// What it could use, in thousandths of a core.
    pub capacity_millicores: u64,
}

/// Which databases are shown.
#[derive(Debug, Default)]
pub struct Top {
    shown: HashMap<DatabaseId, Shown>,
}

#[derive(Clone, Copy, Debug)]
struct Shown {
    until: Instant,
    usage: DatabaseUsage,
}

impl Whole {
    /// With the server's own name as a label: by that the controllers know it again in what Prometheus tells them.
    fn text(self, server: &Name) -> String {
        // What a label's value must not have as it is; names have it anyway only if somebody tries.
        let server = server.as_str().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let (seconds, cores) = (self.cpu_us as f64 / 1e6, self.capacity_millicores as f64 / 1e3);
        let (used, capacity) =
            ("stationmaster_server_cpu_seconds_total", "stationmaster_server_cpu_capacity_cores");
        format!(
            "# HELP {used} Processor time of this server, or of its control group where that has a limit\n\
             # TYPE {used} counter\n{used}{{server=\"{server}\"}} {seconds}\n\
             # HELP {capacity} Cores that this server could use: of its control group, or what its settings say\n\
             # TYPE {capacity} gauge\n{capacity}{{server=\"{server}\"}} {cores}\n"
        )
    }
}

impl Top {
    /// Takes in what is here now, and shows it.
    pub fn show(
        &mut self,
        (server, whole): (&Name, Whole),
        here: &[DatabaseUsage],
        changed: &[DatabaseUsage],
        now: Instant,
    ) {
        self.choose(here, changed, now);
        let text = whole.text(server) + &self.text();
        *EXPOSITION.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    /// `changed` are those that used most lately, most first.
    fn choose(&mut self, here: &[DatabaseUsage], changed: &[DatabaseUsage], now: Instant) {
        let current: HashMap<DatabaseId, DatabaseUsage> =
            here.iter().map(|usage| (usage.database, *usage)).collect();
        self.shown.retain(|database, shown| match current.get(database) {
            Some(usage) => {
                shown.usage = *usage;
                true
            }
            None => false,
        });
        for usage in changed.iter().take(SHOWN_MAX) {
            if let Some(shown) = self.shown.get_mut(&usage.database) {
                shown.until = now + SHOWN_FOR;
                continue;
            }
            if self.shown.len() >= SHOWN_MAX {
                let over = self.shown.iter().find(|(_, shown)| shown.until <= now).map(|(id, _)| *id);
                let Some(over) = over else { continue };
                self.shown.remove(&over);
            }
            self.shown.insert(usage.database, Shown { until: now + SHOWN_FOR, usage: *usage });
        }
    }

    fn text(&self) -> String {
        let mut shown: Vec<&Shown> = self.shown.values().collect();
        shown.sort_by_key(|shown| shown.usage.database);
        let mut text = String::new();
        let heads = [
            (
                "stationmaster_server_topdb_requests_total",
                "Requests of the databases that use most, since loaded",
            ),
            (
                "stationmaster_server_topdb_cpu_seconds_total",
                "Processor time of the statements of the databases that use most, since loaded",
            ),
        ];
        for (at, (name, help)) in heads.into_iter().enumerate() {
            text += &format!("# HELP {name} {help}\n# TYPE {name} counter\n");
            for Shown { usage, .. } in &shown {
                let value = match at {
                    0 => usage.requests.to_string(),
                    _ => (usage.cpu_us as f64 / 1e6).to_string(),
                };
                // An id needs no escaping.
                text += &format!("{name}{{database=\"{}\"}} {value}\n", usage.database);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use model::Epoch;

    use super::*;

    fn usages(ids: std::ops::Range<u64>) -> Vec<DatabaseUsage> {
        let usage =
            |id| DatabaseUsage { database: DatabaseId(id), epoch: Epoch(1), cpu_us: id, requests: id };
        ids.map(usage).collect()
    }

    fn shown(top: &Top) -> Vec<u64> {
        let mut ids: Vec<u64> = top.shown.keys().map(|id| id.0).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn there_are_never_more_than_twenty_names_and_each_stays_for_a_while() {
        let (mut top, start) = (Top::default(), Instant::now());
        let here = usages(0..100);
        top.choose(&here, &usages(0..50), start);
        assert_eq!(shown(&top), (0..20).collect::<Vec<_>>());
        top.choose(&here, &usages(50..100), start + SHOWN_FOR / 2);
        assert_eq!(shown(&top), (0..20).collect::<Vec<_>>(), "they have not been shown for long");
        top.choose(&here, &usages(50..100), start + SHOWN_FOR);
        assert_eq!(shown(&top), (50..70).collect::<Vec<_>>());
        top.choose(&usages(60..100), &[], start + SHOWN_FOR);
        assert_eq!(shown(&top), (60..70).collect::<Vec<_>>(), "what left is not shown");
    }

    #[test]
    fn the_whole_server_is_shown_under_its_name() {
        let whole = Whole { cpu_us: 2_250_000, capacity_millicores: 500 };
        let text = whole.text(&Name::new("server-1").expect("a good name"));
        for line in [
            "# TYPE stationmaster_server_cpu_seconds_total counter",
            "stationmaster_server_cpu_seconds_total{server=\"server-1\"} 2.25",
            "stationmaster_server_cpu_capacity_cores{server=\"server-1\"} 0.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
        }
    }

    #[test]
    fn the_series_are_counters_in_seconds() {
        let mut top = Top::default();
        let one = DatabaseUsage { database: DatabaseId(1), epoch: Epoch(1), cpu_us: 1_500_000, requests: 7 };
        top.choose(&[one], &[one], Instant::now());
        let id = DatabaseId(1);
        let text = top.text();
        for line in [
            "# TYPE stationmaster_server_topdb_cpu_seconds_total counter".to_string(),
            format!("stationmaster_server_topdb_cpu_seconds_total{{database=\"{id}\"}} 1.5"),
            format!("stationmaster_server_topdb_requests_total{{database=\"{id}\"}} 7"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
        }
    }
}
