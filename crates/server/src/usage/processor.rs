//! How much processor time this server uses in all, and how much it could have.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::time::ClockId;

use crate::environment::linux::{group, keyed};

/// The control group where that has a limit, else this process and all cores that it may run on.
#[derive(Clone, Debug)]
pub struct Processor {
    /// The group, where it has a limit. Decided once: a count of something else would be another count.
    group: Option<PathBuf>,
    /// What the operator says that it could have, in cores.
    cores: Option<f64>,
}

impl Processor {
    /// This process.
    pub fn new(cores: Option<f64>) -> Self {
        Self::below(Path::new("/"), cores)
    }

    fn below(root: &Path, cores: Option<f64>) -> Self {
        let group = group(root).filter(|group| limit(group).is_some() && used(group).is_some());
        Self { group, cores }
    }

    /// Processor time used in microseconds, since a beginning that stays the same; none when it cannot be read now.
    pub fn used_us(&self) -> Option<u64> {
        match self.group.as_deref() {
            Some(group) => used(group).map(|us| us as u64),
            None => u64::try_from(super::clock(ClockId::ProcessCPUTime).as_micros()).ok(),
        }
    }

    /// What it could have, in thousandths of a core.
    pub fn capacity_millicores(&self) -> u64 {
        let machine = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let limited = self.group.as_deref().and_then(limit).map(|cores| cores.min(machine));
        let cores = self.cores.or(limited).unwrap_or(machine);
        (cores * 1e3).round().max(1.0) as u64
    }
}

/// A group's limit in cores: a quota in each period; without one the first word is `max`.
fn limit(group: &Path) -> Option<f64> {
    let max = fs::read_to_string(group.join("cpu.max")).ok()?;
    let mut words = max.split_ascii_whitespace().map(str::parse::<f64>);
    let (quota, period) = (words.next()?.ok()?, words.next()?.ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

/// What a group used, in microseconds.
fn used(group: &Path) -> Option<f64> {
    keyed(&fs::read_to_string(group.join("cpu.stat")).ok()?, "usage_usec ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(limit: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        let group = root.path().join("sys/fs/cgroup/own");
        fs::create_dir_all(&group).expect("a directory");
        fs::create_dir_all(root.path().join("proc/self")).expect("a directory");
        let write = |path: PathBuf, text: &str| fs::write(path, text).expect("a file");
        write(root.path().join("proc/self/cgroup"), "0::/own\n");
        write(group.join("cgroup.controllers"), "cpu\n");
        write(group.join("cpu.max"), limit);
        write(group.join("cpu.stat"), "usage_usec 1500000\nuser_usec 1\n");
        root
    }

    #[test]
    fn a_limited_group_is_the_server_and_its_limit_the_capacity() {
        let root = machine("50000 100000\n");
        let processor = Processor::below(root.path(), None);
        assert_eq!((processor.used_us(), processor.capacity_millicores()), (Some(1_500_000), 500));
        fs::remove_file(root.path().join("sys/fs/cgroup/own/cpu.stat")).expect("it is there");
        assert_eq!(processor.used_us(), None, "no other counter takes its place");
        assert_eq!(Processor::below(root.path(), Some(0.25)).capacity_millicores(), 250);
    }

    #[test]
    fn without_a_limit_it_is_this_process_on_all_cores() {
        let root = machine("max 100000\n");
        let processor = Processor::below(root.path(), None);
        let cores = std::thread::available_parallelism().expect("cores").get() as u64;
        assert_eq!(processor.capacity_millicores(), cores * 1_000);
        let used = || processor.used_us().expect("it has a clock");
        let before = used();
        let mut sum = 0_u64;
        while used() < before + 2_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert_ne!(used(), 1_500_000);
    }
}
