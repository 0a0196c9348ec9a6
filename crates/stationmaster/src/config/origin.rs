//! Where a setting's value came from, and what is wrong with it.

use std::fmt;

/// Where a value was given. A later one in this order overrides an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: the default.
    Default,
    /// In the file, on this line (from 1).
    File {
        /// The file as the operator named it.
        path: String,
        /// From 1.
        line: usize,
    },
    /// In this environment variable.
    Environment(String),
    /// By a flag, as typed.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; `None` when something is missing.
    pub origin: Option<Origin>,
    /// What, as a sentence without its full stop.
    pub what: String,
}

/// Everything that is wrong with a configuration, at once.
#[derive(Debug, PartialEq, Eq)]
pub struct Problems {
    /// The file they are in.
    pub file: String,
    /// In the order of the file; what is missing comes last.
    pub problems: Vec<Problem>,
}

impl Problems {
    /// Sorts them by where they are.
    pub fn new(file: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| match &problem.origin {
            Some(Origin::File { line, .. }) => (0, *line),
            Some(Origin::Environment(_)) => (1, 0),
            Some(Origin::Flag(_)) => (2, 0),
            Some(Origin::Default) | None => (3, 0),
        });
        problems.dedup();
        Self { file: file.into(), problems }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "the configuration has {count} {noun}")?;
        for Problem { origin, what } in &self.problems {
            match origin {
                Some(origin) => write!(f, "\n  {origin}: {what}")?,
                None => write!(f, "\n  {}: {what}", self.file)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
