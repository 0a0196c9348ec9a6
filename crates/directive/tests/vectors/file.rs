//! A file of cases, compared with what is computed or rewritten with it.

use std::{fs, path::PathBuf};

use serde_json::Value;

/// A file in `vectors/`.
pub struct File {
    path: PathBuf,
    read: Value,
}

impl File {
    pub fn open(name: &str) -> File {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
        let read = serde_json::from_slice(&fs::read(&path).expect("the vectors are there")).expect("JSON");
        File { path, read }
    }

    /// Works every case of a list out and compares, or rewrites. `part` is the list's field; empty for the file itself.
    pub fn check(&mut self, part: &str, work_out: impl Fn(&mut Value)) {
        let list = if part.is_empty() { &mut self.read } else { &mut self.read[part] };
        let cases = list.as_array_mut().expect("a list of cases");
        assert!(!cases.is_empty());
        let update = std::env::var_os("UPDATE_EXPECT").is_some();
        for case in cases {
            let mut worked_out = case.clone();
            work_out(&mut worked_out);
            if update {
                *case = worked_out;
            } else {
                assert_eq!(*case, worked_out, "left is {}, right is what we compute", self.path.display());
            }
        }
        if update {
            let text = serde_json::to_string_pretty(&self.read).expect("JSON");
            fs::write(&self.path, text + "\n").expect("writable");
        }
    }
}

/// The bytes of a case: `text`, `json` or `hex`, and then so many `spaces`.
pub fn bytes(case: &Value) -> Vec<u8> {
    let mut bytes = match (&case["text"], &case["hex"]) {
        (Value::String(text), _) => text.clone().into_bytes(),
        (_, Value::String(hex)) => (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal"))
            .collect(),
        _ => case["json"].to_string().into_bytes(),
    };
    let spaces = case["spaces"].as_u64().unwrap_or_default();
    bytes.resize(bytes.len() + usize::try_from(spaces).expect("a small number"), b' ');
    bytes
}
