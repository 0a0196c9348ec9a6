//! Reading what processes wrote.

use std::path::{Path, PathBuf};

/// A process's log file.
#[derive(Clone, Debug)]
pub struct Tail {
    path: PathBuf,
}

impl Tail {
    /// The log in that file, which need not exist yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into() }
    }

    /// Everything.
    pub fn text(&self) -> String {
        std::fs::read(&self.path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The last lines, each with `name` before it.
    pub fn last(&self, name: &str, lines: usize) -> String {
        let text = self.text();
        let all: Vec<&str> = text.lines().collect();
        let from = all.len().saturating_sub(lines);
        all[from..].iter().map(|line| format!("{name} | {line}\n")).collect()
    }
}
