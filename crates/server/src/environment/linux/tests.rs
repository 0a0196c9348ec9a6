use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;

/// A machine made of files.
struct Machine(TempDir);

impl Machine {
    fn new(files: &[(&str, &str)]) -> Self {
        let machine = Self(tempfile::tempdir().expect("a directory"));
        files.iter().for_each(|(path, text)| machine.write(path, text));
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("room");
        fs::write(path, text).expect("room");
    }

    fn linux(&self) -> Linux {
        Linux::below(self.0.path(), self.0.path().join("data"), None)
    }
}

fn read(linux: &mut Linux) -> BTreeMap<String, f64> {
    linux.read().into_iter().map(|reading| (reading.source.to_string(), reading.value)).collect()
}

fn about(found: Option<&f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 1e-9)
}

const GROUP: &str = "sys/fs/cgroup/system.slice/sm.service";

#[test]
fn r41_a_control_groups_limits_count_before_the_machines() {
    let in_group = |file: &str| format!("{GROUP}/{file}");
    let machine = Machine::new(&[
        ("proc/self/cgroup", "0::/system.slice/sm.service\n"),
        (&in_group("cgroup.controllers"), "cpu io memory\n"),
        (&in_group("memory.max"), "1000\n"),
        (&in_group("memory.current"), "950\n"),
        (&in_group("memory.stat"), "anon 100\ninactive_file 150\n"),
        (&in_group("memory.pressure"), "some avg10=12.50 avg60=0\nfull avg10=4.00 avg60=0\n"),
        (&in_group("cpu.max"), "200000 100000\n"),
        (&in_group("cpu.stat"), "usage_usec 1000000\n"),
        ("proc/meminfo", "MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable: 60 kB\n"),
        ("proc/pressure/cpu", "some avg10=25.00 avg60=1.0\n"),
    ]);
    let mut linux = machine.linux();
    let first = read(&mut linux);
    assert!(about(first.get("memory_used_ratio"), 0.8), "{first:?}");
    assert!(about(first.get("memory_free_bytes"), 200.0), "{first:?}");
    assert!(about(first.get("memory_pressure_ratio"), 0.125), "{first:?}");
    assert!(about(first.get("memory_stalled_ratio"), 0.04), "{first:?}");
    assert!(about(first.get("cpu_pressure_ratio"), 0.25), "the machine's, as the group has none: {first:?}");
    assert_eq!(first.get("cpu_used_ratio"), None, "nothing to compare with yet");
    machine.write(&in_group("cpu.stat"), "usage_usec 900000000000\n");
    assert!(about(read(&mut linux).get("cpu_used_ratio"), 1.0), "more than it may");
}

#[test]
fn r41_without_control_groups_the_machine_counts() {
    let machine = Machine::new(&[
        ("proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 25 kB\n"),
        ("proc/stat", "cpu  100 0 0 100 0 0 0 0 0 0\ncpu0 1 1\n"),
        ("proc/self/statm", "500 3 1 1 0 1 0\n"),
        ("proc/self/limits", "Limit  Soft  Hard  Units\nMax open files            8         16      files\n"),
        ("proc/self/fd/0", ""),
        ("proc/self/fd/1", ""),
    ]);
    let mut linux = machine.linux();
    let first = read(&mut linux);
    assert!(about(first.get("memory_used_ratio"), 0.75), "{first:?}");
    assert!(about(first.get("files_used_ratio"), 0.25), "{first:?}");
    assert!(about(first.get("process_memory_bytes"), 3.0 * rustix::param::page_size() as f64), "{first:?}");
    machine.write("proc/stat", "cpu  175 0 0 125 0 0 0 0 0 0\n");
    assert!(about(read(&mut linux).get("cpu_used_ratio"), 0.75));
}

#[test]
fn what_a_machine_lacks_is_left_out_and_nonsense_is_no_value() {
    assert_eq!(Machine::new(&[]).linux().read(), []);
    let machine = Machine::new(&[
        ("proc/self/cgroup", "12:cpu:/old\n"),
        ("proc/meminfo", "MemTotal: many kB\n"),
        ("proc/stat", "cpu x y\n"),
        ("proc/pressure/memory", "some avg10=\n"),
        ("proc/self/limits", "Max open files unlimited unlimited files\n"),
        ("proc/self/statm", "\n"),
    ]);
    assert_eq!(machine.linux().read(), []);
}

#[test]
fn r41_this_machine_tells_of_its_disks_memory_and_files() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut linux = Linux::new(dir.path().into(), Some(dir.path().into()));
    let told = read(&mut linux);
    for source in ["data_disk_used_ratio", "journal_disk_used_ratio", "memory_used_ratio", "files_used_ratio"]
    {
        assert!(told.get(source).is_some_and(|ratio| (0.0..=1.0).contains(ratio)), "{source}: {told:?}");
    }
    assert!(told.keys().all(|source| linux.sources().contains(&&**source)), "{told:?}");
}
