//! Takes settings out of one table, one by one, and collects every complaint on the way.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use super::{
    document::{Document, Given},
    origin::{Origin, Problem},
    setting::Setting,
};

/// One table being read. Every read notes the result, so that `config check` can show it.
pub struct Reader<'a> {
    table: &'static str,
    given: BTreeMap<String, Given>,
    document: &'a mut Document,
    known: Vec<&'static str>,
    resolved: Vec<Resolved>,
}

/// A setting as it came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its table.
    pub table: &'static str,
    /// Its key.
    pub key: &'static str,
    /// Its value in TOML.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl<'a> Reader<'a> {
    /// Starts on a table, which may be absent.
    pub fn new(document: &'a mut Document, table: &'static str) -> Self {
        let given = document.tables.remove(table).unwrap_or_default();
        Self { table, given, document, known: Vec::new(), resolved: Vec::new() }
    }

    /// A setting that may be left out.
    pub fn optional<S: Setting>(&mut self, key: &'static str) -> Option<S> {
        self.take(key).and_then(|(setting, origin)| self.note(key, setting, origin))
    }

    /// A setting with a default.
    pub fn or<S: Setting>(&mut self, key: &'static str, default: S) -> S {
        let missing = !self.given.contains_key(key);
        match self.take(key) {
            Some((setting, origin)) => self.note(key, setting, origin).expect("BUG: noting gives it back"),
            None if missing => self.note(key, default, Origin::Default).expect("BUG: noting gives it back"),
            None => default,
        }
    }

    /// A setting that must be there; `None` only after a complaint.
    pub fn required<S: Setting>(&mut self, key: &'static str, example: &str) -> Option<S> {
        if !self.given.contains_key(key) && !self.document.broken {
            let what = format!("[{}] needs `{key}`; for example `{key} = {example}`", self.table);
            self.document.problems.push(Problem { origin: None, what });
        }
        self.optional(key)
    }

    /// A number with a default, within bounds.
    pub fn number(&mut self, key: &'static str, default: u64, bounds: RangeInclusive<u64>) -> u64 {
        assert!(bounds.contains(&default), "BUG: the default of {key} is out of its own bounds");
        let number = self.or(key, default);
        if bounds.contains(&number) {
            return number;
        }
        let (least, most) = bounds.into_inner();
        self.complain(key, format!("must be a whole number from {least} to {most}, this is {number}"));
        default
    }

    /// A number of things in memory with a default, within bounds.
    pub fn count(&mut self, key: &'static str, default: usize, bounds: RangeInclusive<u64>) -> usize {
        let number = self.number(key, default as u64, bounds);
        usize::try_from(number).expect("BUG: the bounds fit this machine's addresses")
    }

    /// A duration in milliseconds with a default, within bounds.
    pub fn millis(&mut self, key: &'static str, default: Duration, bounds: RangeInclusive<u64>) -> Duration {
        let default = u64::try_from(default.as_millis()).expect("BUG: a default of half a billion years");
        Duration::from_millis(self.number(key, default, bounds))
    }

    /// Says that a setting's value does not do. It is said at the value, or at the one beside it.
    pub fn complain(&mut self, key: &'static str, what: String) {
        let origin = self.resolved.iter().find(|resolved| resolved.key == key);
        let origin =
            origin.map(|resolved| resolved.origin.clone()).filter(|origin| *origin != Origin::Default);
        self.document.problems.push(Problem { origin, what: format!("`{key}` {what}") });
    }

    /// Complains about everything nobody asked for; gives what was read.
    pub fn finish(self) -> Vec<Resolved> {
        for (key, given) in self.given {
            let near = nearest(&key, &self.known).map(|near| format!("; did you mean `{near}`?"));
            let what = format!("unknown setting `{key}` in [{}]{}", self.table, near.unwrap_or_default());
            self.document.problems.push(Problem { origin: Some(given.origin), what });
        }
        self.resolved
    }

    fn take<S: Setting>(&mut self, key: &'static str) -> Option<(S, Origin)> {
        self.known.push(key);
        let Given { origin, value } = self.given.remove(key)?;
        match S::read(&value) {
            Ok(setting) => Some((setting, origin)),
            Err(expected) => {
                let what = format!("`{key}` must be {expected}; this is {}", value.shown());
                self.document.problems.push(Problem { origin: Some(origin), what });
                None
            }
        }
    }

    fn note<S: Setting>(&mut self, key: &'static str, setting: S, origin: Origin) -> Option<S> {
        self.resolved.push(Resolved { table: self.table, key, value: setting.to_toml(), origin });
        Some(setting)
    }
}

/// The known word that a mistyped one most probably means.
fn nearest<'k>(typed: &str, known: &[&'k str]) -> Option<&'k str> {
    let (distance, word) = known.iter().map(|word| (distance(typed, word), *word)).min()?;
    (distance <= 2.max(typed.len() / 3)).then_some(word)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
