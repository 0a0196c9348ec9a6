//! Fault points: where a test lets the leading controller die, in the midst of what it does (C17); and planted bugs, by
//! which checkers prove that they catch something.
//!
//! Only in builds with debug assertions, and fault points only when `STATIONMASTER_FAULT_POINT` names a file. Whoever
//! comes to a point whose name stands in that file, and is the one who can remove the file, dies there as if by kill -9:
//! once, however many processes share the file.

use std::{fs, path::Path};

use model::Level;

/// Dies here if a test said so.
pub fn point(name: &str) {
    #[cfg(debug_assertions)]
    armed::strike(name);
    // No result: a release has no use for it.
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// Whether a test planted this bug in the controller with this data directory: by a file `planted-bug` in it that names
/// the bug.
pub fn planted(data_dir: &Path, bug: &str) -> bool {
    cfg!(debug_assertions) && fs::read_to_string(data_dir.join("planted-bug")).is_ok_and(|named| named == bug)
}

#[cfg(debug_assertions)]
mod armed {
    use std::{env, fs, path::PathBuf, sync::OnceLock};

    use rustix::process::{Signal, getpid, kill_process};

    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();

    pub fn strike(name: &str) {
        let file = FILE.get_or_init(|| env::var_os("STATIONMASTER_FAULT_POINT").map(PathBuf::from));
        let Some(file) = file else { return };
        let armed = fs::read_to_string(file).is_ok_and(|armed| armed == name);
        if armed && fs::remove_file(file).is_ok() {
            tracing::warn!(name, "dying at a fault point");
            kill_process(getpid(), Signal::KILL).expect("BUG: a process may kill itself");
            std::process::abort();
        }
    }
}

/// The newest level that this process knows: lower where a test has it act as one of an earlier release, by
/// `STATIONMASTER_LEVEL`.
pub fn level() -> Level {
    #[cfg(debug_assertions)]
    if let Ok(text) = std::env::var("STATIONMASTER_LEVEL") {
        return Level(text.parse().expect("STATIONMASTER_LEVEL is a number"));
    }
    Level::NEWEST
}
