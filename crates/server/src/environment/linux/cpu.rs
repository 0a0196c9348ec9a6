//! The share of the processors that is used: of those that the control group may use where it has a limit, else of all.

use std::{fs, path::Path, time::Instant};

use super::keyed;

/// How far the counters were at the last look.
#[derive(Default)]
pub struct Cpu {
    group: Option<(Instant, f64)>,
    machine: Option<(f64, f64)>,
}

impl Cpu {
    pub fn read(&mut self, root: &Path, group: Option<&Path>) -> Option<(&'static str, f64)> {
        let limited = group.and_then(|group| self.of_group(group, Instant::now()));
        let used = limited.or_else(|| self.of_machine(root))?;
        Some(("cpu_used_ratio", used.clamp(0.0, 1.0)))
    }

    fn of_group(&mut self, group: &Path, now: Instant) -> Option<f64> {
        // A quota in each period, both in microseconds; without a limit the first word is `max`.
        let max = fs::read_to_string(group.join("cpu.max")).ok()?;
        let mut words = max.split_ascii_whitespace().map(str::parse::<f64>);
        let (quota, period) = (words.next()?.ok()?, words.next()?.ok()?);
        let stat = fs::read_to_string(group.join("cpu.stat")).ok()?;
        let used = keyed(&stat, "usage_usec ")? / 1e6;
        let (since, before) = self.group.replace((now, used))?;
        let elapsed = now.saturating_duration_since(since).as_secs_f64();
        (elapsed > 0.0).then(|| (used - before) / (elapsed * quota / period))
    }

    /// proc(5): user, nice, system, idle, iowait, irq, softirq, steal …
    fn of_machine(&mut self, root: &Path) -> Option<f64> {
        let stat = fs::read_to_string(root.join("proc/stat")).ok()?;
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let times: Vec<f64> =
            line.split_ascii_whitespace().take(8).map_while(|word| word.parse().ok()).collect();
        let idle = times.get(3)? + times.get(4)?;
        let all: f64 = times.iter().sum();
        let (all_before, idle_before) = self.machine.replace((all, idle))?;
        let (all, idle) = (all - all_before, idle - idle_before);
        (all > 0.0).then(|| 1.0 - idle / all)
    }
}
