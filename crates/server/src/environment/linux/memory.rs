//! Memory: of the control group where it has a limit, of the machine, and of this process.

use std::{fs, path::Path};

use super::{keyed, number};

pub fn read(root: &Path, group: Option<&Path>) -> Vec<(&'static str, f64)> {
    let limits = [group.and_then(of_group), of_machine(root)];
    // Whichever runs out first.
    let tightest = limits.into_iter().flatten().max_by(|a, b| a.used_ratio().total_cmp(&b.used_ratio()));
    let mut read = Vec::new();
    if let Some(memory) = tightest {
        read.push(("memory_used_ratio", memory.used_ratio()));
        read.push(("memory_free_bytes", memory.free));
    }
    read.extend(resident(root).map(|bytes| ("process_memory_bytes", bytes)));
    read
}

struct Memory {
    free: f64,
    all: f64,
}

impl Memory {
    fn used_ratio(&self) -> f64 {
        1.0 - self.free / self.all
    }
}

/// What the group may have, less what it uses; pages of files that can be dropped at once count as free.
fn of_group(group: &Path) -> Option<Memory> {
    let all = number(&group.join("memory.max")).filter(|all| *all > 0.0)?;
    let current = number(&group.join("memory.current"))?;
    let stat = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let droppable = keyed(&stat, "inactive_file ").unwrap_or(0.0);
    Some(Memory { free: (all - (current - droppable).max(0.0)).max(0.0), all })
}

fn of_machine(root: &Path) -> Option<Memory> {
    let info = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let kib = |key| keyed(&info, key).map(|kib| kib * 1024.0);
    let all = kib("MemTotal:").filter(|all| *all > 0.0)?;
    Some(Memory { free: kib("MemAvailable:")?.min(all), all })
}

fn resident(root: &Path) -> Option<f64> {
    let pages = fs::read_to_string(root.join("proc/self/statm")).ok()?;
    let pages: f64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as f64)
}
