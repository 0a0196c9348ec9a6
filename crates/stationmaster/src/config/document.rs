//! The sources of a configuration, brought together: file, then environment, then flags.

use std::collections::BTreeMap;

use toml::{Spanned, de::DeTable};

use super::{
    origin::{Origin, Problem},
    value::Value,
};

/// Variables of this form are settings: `STATIONMASTER_SERVER__DATA_DIR` is `data_dir` in `[server]`. The double
/// underscore keeps them apart from what others put into the environment.
const PREFIX: &str = "STATIONMASTER_";

/// What an operator can give besides the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// `--set KEY=VALUE`, as typed: `KEY` is `lease_ms` or `controller.lease_ms`.
    pub flags: Vec<String>,
}

impl Overrides {
    /// Those of this process, and these flags.
    pub fn from_process(flags: Vec<String>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { environment, flags }
    }
}

/// A value and where it was given.
#[derive(Clone, Debug)]
pub struct Given {
    /// Where.
    pub origin: Origin,
    /// What.
    pub value: Value,
}

/// The values of each table.
#[derive(Debug, Default)]
pub struct Document {
    /// Tables by name.
    pub tables: BTreeMap<String, BTreeMap<String, Given>>,
    /// Where each table's head stands in the file.
    pub heads: BTreeMap<String, Origin>,
    /// What is wrong already.
    pub problems: Vec<Problem>,
    /// Whether the file could not be parsed as a whole: then what seems to be missing may only be unreadable.
    pub broken: bool,
}

impl Document {
    /// Parses a file's text. Goes on after mistakes.
    pub fn parse(path: &str, text: &str) -> Self {
        let mut document = Self::default();
        let (root, errors) = DeTable::parse_recoverable(text);
        let origin = |at: usize| Origin::File { path: path.into(), line: line_of(text, at) };
        for error in &errors {
            let at = error.span().map_or(0, |span| span.start);
            let what = format!("not TOML: {}", error.message());
            document.problems.push(Problem { origin: Some(origin(at)), what });
        }
        document.broken = !errors.is_empty();
        for (name, table) in root.get_ref() {
            document.take(name.get_ref(), origin(name.span().start), table, &origin);
        }
        document
    }

    fn take(
        &mut self,
        name: &str,
        head: Origin,
        value: &Spanned<toml::de::DeValue<'_>>,
        origin: &dyn Fn(usize) -> Origin,
    ) {
        let Some(table) = value.get_ref().as_table() else {
            let what = format!("{name:?} stands outside of a table; put it below a line like [server]");
            self.problems.push(Problem { origin: Some(head), what });
            return;
        };
        let values = table.iter().map(|(key, value)| {
            let given = Given { origin: origin(key.span().start), value: Value::from_toml(value) };
            (key.get_ref().to_string(), given)
        });
        self.tables.entry(name.into()).or_default().extend(values);
        self.heads.insert(name.into(), head);
    }

    /// Lays environment and flags over the file. `role` is the table that a flag without one means.
    pub fn override_with(&mut self, overrides: &Overrides, role: &str, tables: &[&str]) {
        for (variable, value) in &overrides.environment {
            let Some((table, key)) = variable.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__"))
            else {
                continue;
            };
            let (table, key) = (table.to_ascii_lowercase(), key.to_ascii_lowercase());
            // One environment may serve several roles: what is for another one is none of our business.
            if tables.contains(&&*table) {
                self.set(&table, &key, Origin::Environment(variable.clone()), value);
            }
        }
        for flag in &overrides.flags {
            let origin = Origin::Flag(flag.clone());
            match flag.split_once('=') {
                Some((key, value)) => {
                    let (table, key) = key.trim().split_once('.').unwrap_or((role, key.trim()));
                    self.set(table, key, origin, value);
                }
                None => {
                    let what = "must have the form KEY=VALUE".into();
                    self.problems.push(Problem { origin: Some(origin), what });
                }
            }
        }
    }

    fn set(&mut self, table: &str, key: &str, origin: Origin, value: &str) {
        let given = Given { origin, value: Value::Outside(value.into()) };
        self.tables.entry(table.into()).or_default().insert(key.into(), given);
    }
}

/// The line, from 1, that a byte stands on.
fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}
