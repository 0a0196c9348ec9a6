//! Pressure stall information: the share of the last ten seconds in which something waited for a resource.

use std::{fs, path::Path};

use super::keyed;

pub fn read(root: &Path, group: Option<&Path>) -> Vec<(&'static str, f64)> {
    let table = [
        ("memory_pressure_ratio", "memory", "some"),
        ("memory_stalled_ratio", "memory", "full"),
        ("cpu_pressure_ratio", "cpu", "some"),
        ("io_pressure_ratio", "io", "some"),
    ];
    let one = |(source, resource, who)| Some((source, of(root, group, resource, who)?));
    table.into_iter().filter_map(one).collect()
}

/// Of the control group, or else of the machine.
fn of(root: &Path, group: Option<&Path>, resource: &str, who: &str) -> Option<f64> {
    let of_group =
        group.and_then(|group| fs::read_to_string(group.join(format!("{resource}.pressure"))).ok());
    let text = of_group.or_else(|| fs::read_to_string(root.join("proc/pressure").join(resource)).ok())?;
    keyed(&text, &format!("{who} avg10=")).map(|percent| percent / 100.0)
}
