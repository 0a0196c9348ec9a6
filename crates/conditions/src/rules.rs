//! Rules as data: read from TOML in one pass, with everything that is wrong said at once.
//!
//! A file adds to the built-in rules, `config/rules.toml`: a rule of the same name replaces the built-in one.

mod read;
mod section;

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::{Filter, Kind, Rule, limits::FRESH};

/// The built-in rules, which are also the annotated sample of a rules file.
const BUILT_IN: &str = include_str!("../../../config/rules.toml");

/// What is watched, how often, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Which events are looked at at the start.
    pub filter: Filter,
    /// How often everything is measured.
    pub every: Duration,
    /// How old the last sample of a source may be to be believed.
    pub fresh: Duration,
    /// By condition.
    pub rules: BTreeMap<Kind, Rule>,
}

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1, if it is about one.
    pub line: Option<usize>,
    /// What, as a sentence without its full stop.
    pub what: String,
}

/// Everything that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The file as it was named.
    pub file: String,
    /// In the order of the file.
    pub problems: Vec<Problem>,
}

impl Rules {
    /// How often everything is measured by default.
    pub const EVERY: Duration = Duration::from_secs(1);

    /// No rules at all.
    pub fn none() -> Self {
        Self { filter: Filter::All, every: Self::EVERY, fresh: FRESH, rules: BTreeMap::new() }
    }

    /// Those that every server has unless told otherwise.
    pub fn built_in() -> Self {
        read::read("config/rules.toml", BUILT_IN, Self::none()).expect("BUG: the built-in rules are sound")
    }

    /// The built-in rules with those of a file.
    ///
    /// # Errors
    /// Everything that is wrong with the file, which is called `file`.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        read::read(file, text, Self::built_in())
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::built_in()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "the rules have {count} {noun}")?;
        for Problem { line, what } in &self.problems {
            match line {
                Some(line) => write!(f, "\n  {}:{line}: {what}", self.file)?,
                None => write!(f, "\n  {}: {what}", self.file)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests;
