//! EDN, the notation that Jepsen's tools write histories in (<https://github.com/edn-format/edn>): as much of it as
//! histories use. Tags are passed over, lists and sets are read as vectors, and fractions as symbols.

#[cfg(test)]
mod tests;

use std::fmt;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edn {
    /// `nil`
    Nil,
    /// `true` and `false`
    Bool(bool),
    /// `7`
    Int(i64),
    /// `"text"`
    Text(String),
    /// `:name`, without its colon
    Keyword(String),
    /// `name`, and what is nothing else
    Symbol(String),
    /// `[1 2]`
    Vector(Vec<Edn>),
    /// `{:a 1}`, in its order
    Map(Vec<(Edn, Edn)>),
}

/// What cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Unreadable {
    /// From 1.
    pub line: usize,
    /// What was found, or was not.
    pub what: &'static str,
}

/// Deepest nesting that is read.
const DEPTH_MAX: usize = 64;

impl Edn {
    /// `:name`.
    pub fn keyword(name: &str) -> Self {
        Self::Keyword(name.to_owned())
    }

    /// The value of a keyword in a map.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        pairs.iter().find(|(key, _)| matches!(key, Self::Keyword(key) if key == name)).map(|(_, value)| value)
    }

    /// The number that it is.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Its elements, if it is a vector.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Vector(items) => Some(items),
            _ => None,
        }
    }

    /// The name that it is, as a keyword.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Keyword(name) => Some(name),
            _ => None,
        }
    }
}

impl From<i64> for Edn {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl FromIterator<Edn> for Edn {
    fn from_iter<I: IntoIterator<Item = Edn>>(items: I) -> Self {
        Self::Vector(items.into_iter().collect())
    }
}

impl fmt::Display for Edn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => out.write_str("nil"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Int(number) => write!(out, "{number}"),
            Self::Text(text) => quoted(out, text),
            Self::Keyword(name) => write!(out, ":{name}"),
            Self::Symbol(name) => out.write_str(name),
            Self::Vector(items) => {
                out.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(out, "{}{item}", if at == 0 { "" } else { " " })?;
                }
                out.write_str("]")
            }
            Self::Map(pairs) => {
                out.write_str("{")?;
                for (at, (key, value)) in pairs.iter().enumerate() {
                    write!(out, "{}{key} {value}", if at == 0 { "" } else { ", " })?;
                }
                out.write_str("}")
            }
        }
    }
}

fn quoted(out: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    out.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            c => write!(out, "{c}")?,
        }
    }
    out.write_str("\"")
}

/// Reads all values of a text.
///
/// # Errors
/// Where it cannot be read, and why.
pub fn read(text: &str) -> Result<Vec<Edn>, Unreadable> {
    let mut reader = Reader { rest: text, line: 1 };
    let mut values = Vec::new();
    while reader.next_is_something() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    /// Passes over blanks, commas and comments; whether anything follows.
    fn next_is_something(&mut self) -> bool {
        loop {
            let trimmed = self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
            self.pass(self.rest.len() - trimmed.len());
            if !self.rest.starts_with(';') {
                return !self.rest.is_empty();
            }
            self.pass(self.rest.find('\n').unwrap_or(self.rest.len()));
        }
    }

    fn pass(&mut self, bytes: usize) -> &'a str {
        let (passed, rest) = self.rest.split_at(bytes);
        self.line += passed.matches('\n').count();
        self.rest = rest;
        passed
    }

    fn error<T>(&self, what: &'static str) -> Result<T, Unreadable> {
        Err(Unreadable { line: self.line, what })
    }

    fn value(&mut self, depth: usize) -> Result<Edn, Unreadable> {
        if depth > DEPTH_MAX {
            return self.error("nested too deeply");
        }
        if !self.next_is_something() {
            return self.error("it ends in the middle of a value");
        }
        match self.rest.as_bytes()[0] {
            b'[' => self.items(b']', depth).map(Edn::Vector),
            b'(' => self.items(b')', depth).map(Edn::Vector),
            b'{' => self.map(depth),
            b'#' if self.rest.starts_with("#{") => {
                self.pass(1);
                self.items(b'}', depth).map(Edn::Vector)
            }
            b'#' => {
                self.pass(1);
                self.word();
                self.value(depth + 1)
            }
            b'"' => self.text(),
            b']' | b')' | b'}' => self.error("a bracket closes that was not opened"),
            _ => self.atom(),
        }
    }

    fn items(&mut self, end: u8, depth: usize) -> Result<Vec<Edn>, Unreadable> {
        self.pass(1);
        let mut items = Vec::new();
        loop {
            if !self.next_is_something() {
                return self.error("a bracket is not closed");
            }
            if self.rest.as_bytes()[0] == end {
                self.pass(1);
                return Ok(items);
            }
            items.push(self.value(depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Edn, Unreadable> {
        let items = self.items(b'}', depth)?;
        if items.len() % 2 == 1 {
            return self.error("a map has a key without a value");
        }
        let mut items = items.into_iter();
        let pairs = std::iter::from_fn(|| Some((items.next()?, items.next()?)));
        Ok(Edn::Map(pairs.collect()))
    }

    fn text(&mut self) -> Result<Edn, Unreadable> {
        self.pass(1);
        let mut text = String::new();
        loop {
            let Some(c) = self.rest.chars().next() else { return self.error("a text is not closed") };
            self.pass(c.len_utf8());
            match c {
                '"' => return Ok(Edn::Text(text)),
                '\\' => {
                    let Some(c) = self.rest.chars().next() else { return self.error("a text is not closed") };
                    self.pass(c.len_utf8());
                    text.push(match c {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        c => c,
                    });
                }
                c => text.push(c),
            }
        }
    }

    fn word(&mut self) -> &'a str {
        let ends = |c: char| c.is_whitespace() || ",;\"[](){}".contains(c);
        self.pass(self.rest.find(ends).unwrap_or(self.rest.len()))
    }

    fn atom(&mut self) -> Result<Edn, Unreadable> {
        let word = self.word();
        if let Some(name) = word.strip_prefix(':') {
            return Ok(Edn::keyword(name));
        }
        Ok(match word {
            "nil" => Edn::Nil,
            "true" => Edn::Bool(true),
            "false" => Edn::Bool(false),
            word => word.parse().map_or_else(|_| Edn::Symbol(word.to_owned()), Edn::Int),
        })
    }
}
