//! What the client's process uses, as Linux tells it. Elsewhere: nothing.

/// A moment of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Memory in use, in bytes.
    pub(crate) memory_bytes: u64,
    /// Processor time since its start, in milliseconds.
    pub(crate) cpu_ms: u64,
    /// Clients of this driver.
    pub(crate) clients: usize,
}

/// The present one.
pub(crate) fn usage(clients: usize) -> Usage {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = rustix::param::clock_ticks_per_second();
    Usage { memory_bytes: memory_bytes(&status), cpu_ms: cpu_ms(&stat, ticks), clients }
}

fn memory_bytes(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// User and system time are the 14th and 15th field; the second, a name in parentheses, may hold anything.
fn cpu_ms(stat: &str, ticks_per_second: u64) -> u64 {
    let fields: Vec<_> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    (ticks(11) + ticks(12)) * 1_000 / ticks_per_second.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r76_memory_and_time_are_read_as_linux_writes_it() {
        assert_eq!(memory_bytes("Name:\tx\nVmRSS:\t    1234 kB\nVmData: 1 kB\n"), 1234 * 1024);
        assert_eq!((memory_bytes("nonsense"), cpu_ms("", 100)), (0, 0));
        assert_eq!(cpu_ms("1 (a) b) S 1 1 1 0 -1 4 1 0 0 0 25 5 0 0", 100), 300);
    }
}
