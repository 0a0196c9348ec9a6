//! What happens to a map, one after the other; and how a history is kept in a file.

use std::path::{Path, PathBuf};

use model::{Entry, codec};

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A committed entry is applied.
    Entry(Entry),
    /// A committed entry without a command passes.
    Empty,
    /// The controller restarts from a snapshot.
    Snapshot,
}

/// Writes a history, one step a line, under a name made from its content.
pub fn save(directory: &Path, steps: &[Step]) -> PathBuf {
    let text: String = steps.iter().map(|step| format!("{}\n", line(step))).collect();
    std::fs::create_dir_all(directory).expect("the directory can be made");
    let name = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let path = directory.join(format!("{name:016x}.log"));
    std::fs::write(&path, text).expect("the history can be written");
    path
}

/// Reads a history.
pub fn load(path: &Path) -> Vec<Step> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(step).collect()
}

/// The bytes come first, to be read by the machine; what they say follows, to be read by us.
fn line(step: &Step) -> String {
    match step {
        Step::Entry(entry) => {
            format!("{} {:?}", crate::golden::hex(&codec::encode_entry(entry)), entry.command)
        }
        Step::Empty => "empty".into(),
        Step::Snapshot => "snapshot".into(),
    }
}

fn step(line: &str) -> Step {
    match line.split(' ').next() {
        Some("empty") => Step::Empty,
        Some("snapshot") => Step::Snapshot,
        Some(hex) => Step::Entry(codec::decode_entry(&crate::golden::unhex(hex)).expect("a saved entry")),
        None => panic!("an empty line"),
    }
}
