//! File handles: how many this process has of those that it may have.

use std::{fs, path::Path};

pub fn read(root: &Path) -> Option<(&'static str, f64)> {
    let limits = fs::read_to_string(root.join("proc/self/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let most: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    let open = open(&root.join("proc/self/fd"))?;
    (most > 0.0).then(|| ("files_used_ratio", open / most))
}

/// Newer kernels tell the number as the directory's size; elsewhere its entries are counted.
fn open(dir: &Path) -> Option<f64> {
    let told = fs::metadata(dir).ok()?.len();
    if told > 0 && dir.starts_with("/proc") {
        return Some(told as f64);
    }
    Some(fs::read_dir(dir).ok()?.count() as f64)
}
