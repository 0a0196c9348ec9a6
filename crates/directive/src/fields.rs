//! Takes fields out of a JSON object, each with its type and limits.
//!
//! Strict in the same way as a few lines of any other language: an integer is written as one, `null` is the same as
//! not there, a list is no object, and what is not asked for is not looked at.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::{Refusal, Values, Why, limits};

/// An object and its name.
pub(crate) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: &'a str,
}

impl<'a> Fields<'a> {
    pub fn of(value: &'a Value, path: &'a str) -> Result<Fields<'a>, Refusal> {
        let map = value.as_object().ok_or_else(|| Refusal::new(Why::Malformed, path))?;
        Ok(Fields { map, path })
    }

    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    pub fn refuse(&self, why: Why, name: &str) -> Refusal {
        Refusal::new(
            why,
            if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) },
        )
    }

    /// The same for a field that need not be there.
    pub fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, Refusal>,
    ) -> Result<Option<T>, Refusal> {
        self.get(name).map(|_| read(self, name)).transpose()
    }

    pub fn integer(&self, name: &str, range: RangeInclusive<u64>) -> Result<u64, Refusal> {
        let number = self.get(name).and_then(Value::as_u64);
        let number = number.ok_or_else(|| self.refuse(Why::Malformed, name))?;
        if range.contains(&number) { Ok(number) } else { Err(self.refuse(Why::Range, name)) }
    }

    pub fn string(&self, name: &str) -> Result<&'a str, Refusal> {
        self.get(name).and_then(Value::as_str).ok_or_else(|| self.refuse(Why::Malformed, name))
    }

    /// A string that `right` accepts.
    pub fn checked(&self, name: &str, right: impl FnOnce(&str) -> bool) -> Result<String, Refusal> {
        let text = self.string(name)?;
        if right(text) { Ok(text.to_owned()) } else { Err(self.refuse(Why::Range, name)) }
    }

    pub fn name(&self, name: &str) -> Result<String, Refusal> {
        self.checked(name, is_name)
    }

    pub fn text(&self, name: &str) -> Result<String, Refusal> {
        self.checked(name, |text| is_text(text, limits::TEXT_BYTES_MAX))
    }

    pub fn database(&self, name: &str) -> Result<String, Refusal> {
        self.checked(name, is_database)
    }

    /// One of several words.
    pub fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, Refusal> {
        let text = self.string(name)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        found.ok_or_else(|| self.refuse(Why::Range, name))
    }

    pub fn object(&self, name: &'a str) -> Result<Fields<'a>, Refusal> {
        let map = self.get(name).and_then(Value::as_object);
        Ok(Fields { map: map.ok_or_else(|| self.refuse(Why::Malformed, name))?, path: name })
    }

    pub fn list(&self, name: &str, lengths: RangeInclusive<usize>) -> Result<&'a [Value], Refusal> {
        let list = self.get(name).and_then(Value::as_array);
        let list = list.ok_or_else(|| self.refuse(Why::Malformed, name))?;
        if lengths.contains(&list.len()) { Ok(list) } else { Err(self.refuse(Why::Range, name)) }
    }

    /// Texts by names.
    pub fn values(&self, name: &str) -> Result<Values, Refusal> {
        let map = self.get(name).and_then(Value::as_object);
        let map = map.ok_or_else(|| self.refuse(Why::Malformed, name))?;
        if map.len() > limits::VALUES_MAX {
            return Err(self.refuse(Why::Range, name));
        }
        let texts = map.iter().map(|(key, value)| {
            let text = value.as_str().ok_or_else(|| self.refuse(Why::Malformed, name))?;
            if !is_name(key) || !is_text(text, limits::TEXT_BYTES_MAX) {
                return Err(self.refuse(Why::Range, name));
            }
            Ok((key.clone(), text.to_owned()))
        });
        texts.collect()
    }
}

/// 1 to 64 of letters, digits, `.`, `_`, `:` and `-`.
pub(crate) fn is_name(text: &str) -> bool {
    let right = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=limits::NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(right)
}

/// No control characters, which would forge lines in logs.
pub(crate) fn is_text(text: &str, bytes_max: usize) -> bool {
    text.len() <= bytes_max && !text.chars().any(char::is_control)
}

pub(crate) fn is_database(text: &str) -> bool {
    !text.is_empty() && is_text(text, limits::DATABASE_BYTES_MAX)
}

/// A session's token: letters, digits, `_` and `-`.
pub(crate) fn is_session(text: &str) -> bool {
    let right = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    limits::SESSION_BYTES.contains(&text.len()) && text.bytes().all(right)
}

/// A host name, IPv4 address or IPv6 address in brackets, a colon, and a port.
pub(crate) fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    let port = digits && port.parse::<u16>().is_ok();
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match inner {
        Some(v6) => {
            !v6.is_empty() && v6.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte))
        }
        None => is_host(host),
    };
    port && host && text.len() <= limits::ADDRESS_BYTES_MAX
}

/// A host name or IPv4 address.
pub(crate) fn is_host(text: &str) -> bool {
    let right = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=253).contains(&text.len()) && text.bytes().all(right)
}
