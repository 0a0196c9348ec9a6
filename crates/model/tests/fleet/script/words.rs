//! The words of one script line: positional ones, then `key=value`. Quotes keep blanks, `x{64}` is 64 times x.

use std::{collections::BTreeMap, fmt::Debug, str::FromStr};

/// A line in words.
pub struct Words {
    line: String,
    positional: std::vec::IntoIter<String>,
    named: BTreeMap<String, String>,
}

impl Words {
    pub fn new(line: &str) -> Self {
        let (named, positional): (Vec<_>, Vec<_>) =
            split(line).into_iter().partition(|(word, quoted)| !quoted && word.contains('='));
        let pair = |(word, _): (String, bool)| {
            let (key, value) = word.split_once('=').expect("partitioned by it");
            (key.to_owned(), value.to_owned())
        };
        let positional: Vec<_> = positional.into_iter().map(|(word, _)| word).collect();
        Self {
            line: line.into(),
            positional: positional.into_iter(),
            named: named.into_iter().map(pair).collect(),
        }
    }

    /// The next positional word.
    pub fn next(&mut self) -> String {
        self.positional.next().unwrap_or_else(|| panic!("a word is missing: {}", self.line))
    }

    /// The next positional word, read as a `T`.
    pub fn parse<T: FromStr<Err: Debug>>(&mut self) -> T {
        let word = self.next();
        self.read(&word)
    }

    /// The next positional word, read as a number in base 16.
    pub fn hex(&mut self) -> u128 {
        let word = self.next();
        u128::from_str_radix(&word, 16).unwrap_or_else(|error| panic!("{word}: {error}"))
    }

    /// The value of a named word.
    pub fn named(&mut self, key: &str) -> Option<String> {
        self.named.remove(key)
    }

    /// The value of a named word, read as a `T`.
    pub fn named_as<T: FromStr<Err: Debug>>(&mut self, key: &str) -> Option<T> {
        self.named(key).map(|word| self.read(&word))
    }

    /// The value of a named word, read as a number in base 16.
    pub fn named_hex(&mut self, key: &str) -> Option<u128> {
        let word = self.named(key)?;
        Some(u128::from_str_radix(&word, 16).unwrap_or_else(|error| panic!("{word}: {error}")))
    }

    /// Makes sure that nothing was left unread.
    pub fn end(mut self) {
        assert_eq!((self.positional.next(), self.named), (None, BTreeMap::new()), "too much: {}", self.line);
    }

    fn read<T: FromStr<Err: Debug>>(&self, word: &str) -> T {
        word.parse().unwrap_or_else(|error| panic!("{word} in {}: {error:?}", self.line))
    }
}

/// Words, each with whether it was quoted.
fn split(line: &str) -> Vec<(String, bool)> {
    line.split('\'')
        .enumerate()
        .flat_map(|(at, part)| match at % 2 {
            1 => vec![(part.to_owned(), true)],
            _ => part.split_whitespace().map(|word| (repeat(word), false)).collect(),
        })
        .collect()
}

fn repeat(word: &str) -> String {
    let repeated = word.strip_suffix('}').and_then(|word| word.rsplit_once('{'));
    let Some((text, times)) = repeated else { return word.into() };
    let times = times.parse().unwrap_or_else(|_| panic!("{word}: not a number of times"));
    match text.rsplit_once('=') {
        Some((key, value)) => format!("{key}={}", value.repeat(times)),
        None => text.repeat(times),
    }
}
