//! What the kernel knows about this process, from `/proc`. Elsewhere than on Linux there is nothing to tell.

use std::fs;

/// A process's use of the machine.
pub struct Usage {
    /// User and system time, in whole seconds: counters are integers.
    pub cpu_seconds: u64,
    /// Bytes in RAM.
    pub resident_bytes: f64,
    /// Open file descriptors.
    pub open_fds: f64,
    /// Unix time in seconds.
    pub started_at: f64,
}

/// Reads it; `None` where there is no `/proc`.
pub fn usage() -> Option<Usage> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let open_fds = fs::read_dir("/proc/self/fd").ok()?.count();
    parse(&stat, &boot, open_fds)
}

/// proc(5): fields are counted from 1, the name in field 2 may contain anything, so count from its closing bracket.
fn parse(stat: &str, boot: &str, open_fds: usize) -> Option<Usage> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let ticks = rustix::param::clock_ticks_per_second();
    let page = rustix::param::page_size() as u64;
    let booted: u64 = boot.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(Usage {
        cpu_seconds: (field(14)? + field(15)?) / ticks,
        resident_bytes: (field(24)? * page) as f64,
        open_fds: open_fds as f64,
        started_at: (booted + field(22)? / ticks) as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figures_are_found_behind_an_odd_name() {
        let mut stat = String::from("12 (a) b (c) S");
        for number in 4..=52 {
            stat += &format!(" {number}00");
        }
        let usage = parse(&stat, "cpu 1\nbtime 1000\n", 7).expect("a sound line");
        assert_eq!(usage.cpu_seconds, 2900 / rustix::param::clock_ticks_per_second());
        assert_eq!(usage.open_fds, 7.0);
        assert_eq!(usage.resident_bytes, 2400.0 * rustix::param::page_size() as f64);
    }
}
