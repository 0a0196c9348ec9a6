//! One table of a file: its keys are taken one by one, and what is left over is a mistake.

use std::{collections::BTreeMap, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Problem;
use crate::limits::TIME_MAX;

/// A file's text, and what was found wrong with it.
pub struct Page {
    text: String,
    pub problems: Vec<Problem>,
}

/// A table whose keys are being taken.
pub struct Section<'p, 't> {
    page: &'p mut Page,
    /// How it is called in complaints.
    name: String,
    given: BTreeMap<String, (usize, &'t DeValue<'t>)>,
    known: Vec<&'static str>,
}

impl Page {
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), problems: Vec::new() }
    }

    /// The line, from 1, that a byte stands on.
    pub fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
    }

    pub fn complain(&mut self, line: usize, what: String) {
        self.problems.push(Problem { line: Some(line), what });
    }
}

impl<'p, 't> Section<'p, 't> {
    pub fn new(page: &'p mut Page, name: String, table: &'t DeTable<'t>) -> Self {
        let given = table
            .iter()
            .map(|(key, value)| (key.get_ref().to_string(), (page.line(key.span().start), value.get_ref())))
            .collect();
        Self { page, name, given, known: Vec::new() }
    }

    /// A value, with its line.
    pub fn take(&mut self, key: &'static str) -> Option<(usize, &'t DeValue<'t>)> {
        self.known.push(key);
        self.given.remove(key)
    }

    pub fn has(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    pub fn complain(&mut self, line: usize, what: String) {
        let what = format!("{}: {what}", self.name);
        self.page.complain(line, what);
    }

    fn must_be(&mut self, line: usize, key: &str, expected: &str) {
        self.complain(line, format!("`{key}` must be {expected}"));
    }

    pub fn text(&mut self, key: &'static str, expected: &str) -> Option<(usize, String)> {
        let (line, value) = self.take(key)?;
        let text = value.as_str().map(|text| (line, text.to_owned()));
        if text.is_none() {
            self.must_be(line, key, expected);
        }
        text
    }

    /// One of a few words.
    pub fn one_of<T: Copy>(&mut self, key: &'static str, words: &[(T, &str)]) -> Option<T> {
        let names: Vec<String> = words.iter().map(|(_, name)| format!("{name:?}")).collect();
        let expected = format!("one of {}", names.join(", "));
        let (line, text) = self.text(key, &expected)?;
        let found = words.iter().find(|(_, name)| *name == text).map(|(word, _)| *word);
        if found.is_none() {
            self.must_be(line, key, &format!("{expected}; this is {text:?}"));
        }
        found
    }

    pub fn flag(&mut self, key: &'static str) -> Option<bool> {
        let (line, value) = self.take(key)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.must_be(line, key, "true or false");
        }
        flag
    }

    /// A number, whole or not.
    pub fn number(&mut self, key: &'static str) -> Option<(usize, f64)> {
        let (line, value) = self.take(key)?;
        let number = match value {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            _ => None,
        };
        let number = match value {
            DeValue::Float(float) => float.as_str().replace('_', "").parse().ok(),
            _ => number.map(|number| number as f64),
        };
        let number = number.filter(|number| number.is_finite());
        if number.is_none() {
            self.must_be(line, key, "a number");
        }
        Some((line, number?))
    }

    /// A whole number within bounds.
    pub fn whole(&mut self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let (line, value) = self.take(key)?;
        let number = match value {
            DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.must_be(line, key, &format!("a whole number from {least} to {most}"));
        }
        number
    }

    /// A time in milliseconds.
    pub fn millis(&mut self, key: &'static str, least: u64) -> Option<Duration> {
        let most = u64::try_from(TIME_MAX.as_millis()).expect("BUG: a day is short");
        self.whole(key, least, most).map(Duration::from_millis)
    }

    /// A list of texts.
    pub fn texts(&mut self, key: &'static str, expected: &str) -> Option<(usize, Vec<String>)> {
        let (line, value) = self.take(key)?;
        let item = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
        let texts = value.as_array().and_then(|items| items.iter().map(item).collect());
        if texts.is_none() {
            self.must_be(line, key, expected);
        }
        Some((line, texts?))
    }

    /// Complains about every key that nobody asked for.
    pub fn finish(mut self) {
        let known = self.known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        for (key, (line, _)) in std::mem::take(&mut self.given) {
            self.complain(line, format!("unknown key `{key}`; there are {known}"));
        }
    }
}
