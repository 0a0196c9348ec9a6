//! What Linux tells of the machine, of this process's control group (version 2) and of this process.
//!
//! Everything is read from files below a root, so that tests can write them. What is not there is left out.

mod cpu;
mod files;
mod memory;
mod pressure;

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Reading, Sensor};

use self::cpu::Cpu;

/// Memory, CPU, pressure, disks and file handles.
pub struct Linux {
    root: PathBuf,
    /// This process's control group, if there are any.
    group: Option<PathBuf>,
    cpu: Cpu,
    data_dir: PathBuf,
    /// Where journals are, if that is a directory.
    journal: Option<PathBuf>,
}

impl Linux {
    /// This machine. `journal` is left out when journals are not in a directory.
    pub fn new(data_dir: PathBuf, journal: Option<PathBuf>) -> Self {
        Self::below(Path::new("/"), data_dir, journal)
    }

    fn below(root: &Path, data_dir: PathBuf, journal: Option<PathBuf>) -> Self {
        Self { root: root.into(), group: group(root), cpu: Cpu::default(), data_dir, journal }
    }
}

impl Sensor for Linux {
    fn sources(&self) -> &'static [&'static str] {
        &[
            "memory_used_ratio",
            "memory_free_bytes",
            "memory_pressure_ratio",
            "memory_stalled_ratio",
            "process_memory_bytes",
            "cpu_used_ratio",
            "cpu_pressure_ratio",
            "io_pressure_ratio",
            "data_disk_used_ratio",
            "data_disk_free_bytes",
            "journal_disk_used_ratio",
            "journal_disk_free_bytes",
            "files_used_ratio",
        ]
    }

    fn read(&mut self) -> Vec<Reading> {
        let (root, group) = (&*self.root, self.group.as_deref());
        let disks = [("data_disk", Some(&self.data_dir)), ("journal_disk", self.journal.as_ref())];
        let disks = disks.into_iter().filter_map(|(name, path)| disk(name, path?)).flatten();
        memory::read(root, group)
            .into_iter()
            .chain(pressure::read(root, group))
            .chain(self.cpu.read(root, group))
            .chain(files::read(root))
            .chain(disks)
            .map(|(source, value)| Reading::server(source, value))
            .collect()
    }
}

/// The directory of this process's control group.
pub fn group(root: &Path) -> Option<PathBuf> {
    let lines = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let path = lines.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let group = root.join("sys/fs/cgroup").join(path);
    group.join("cgroup.controllers").exists().then_some(group)
}

/// A file that holds one number; `max` and the like are none.
fn number(path: &Path) -> Option<f64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number behind a key at the beginning of a line, in whatever unit stands there.
pub fn keyed(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn disk(name: &'static str, path: &Path) -> Option<[(&'static str, f64); 2]> {
    let space = rustix::fs::statvfs(path).ok()?;
    if space.f_blocks == 0 {
        return None;
    }
    let (free, all) = (space.f_bavail as f64, space.f_blocks as f64);
    let bytes = free * space.f_frsize as f64;
    Some(match name {
        "data_disk" => [("data_disk_used_ratio", 1.0 - free / all), ("data_disk_free_bytes", bytes)],
        _ => [("journal_disk_used_ratio", 1.0 - free / all), ("journal_disk_free_bytes", bytes)],
    })
}

#[cfg(test)]
mod tests;
