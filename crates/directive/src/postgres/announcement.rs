//! How a client says that it understands directives.

use crate::{Kind, Kinds, Refusal, VERSION, Why, fields, limits};

use super::ANNOUNCE;

/// What a client says of itself: `1;session=…;driver=…;location=…;can=hold,resume`.
///
/// Only the version is needed. Keys that are not known are ignored. Values have no spaces, so they need no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The newest version of the wire form that it reads; what is sent is of the lower of both sides' versions.
    pub version: u64,
    /// A random token of this session, 16 to 64 of `A-Z a-z 0-9 _ -`: every directive sent in the session repeats it,
    /// so that nothing captured in another session is obeyed (S4).
    pub session: Option<String>,
    /// The driver's name and version, such as `rust-0.1.0`.
    pub driver: Option<String>,
    /// Where it runs, coarsely, such as a zone.
    pub location: Option<String>,
    /// What it can do. Default: all but [`Kind::Rule`].
    pub can: Kinds,
}

impl Announcement {
    /// Of this version, able to do everything but rules, with nothing else said.
    pub fn new() -> Announcement {
        Announcement {
            version: VERSION,
            session: None,
            driver: None,
            location: None,
            can: Kinds::ALL.without(Kind::Rule),
        }
    }

    /// Reads the parameter's value.
    ///
    /// # Errors
    /// It is longer than [`limits::ANNOUNCEMENT_BYTES_MAX`], has no version, or a value is outside its limits.
    /// Such a client is treated as one that did not announce itself.
    pub fn parse(value: &str) -> Result<Announcement, Refusal> {
        if value.len() > limits::ANNOUNCEMENT_BYTES_MAX {
            return Err(Refusal::new(Why::TooLarge, ANNOUNCE));
        }
        let mut parts = value.split(';');
        let version = parts.next().and_then(|version| version.trim().parse::<u64>().ok());
        let version = version.filter(|version| *version >= 1);
        let version = version.ok_or_else(|| Refusal::new(Why::Version, ANNOUNCE))?;
        let mut announcement = Announcement { version, ..Announcement::new() };
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let checked = |right: fn(&str) -> bool| {
                let refusal = || Refusal::new(Why::Range, format!("{ANNOUNCE}: {}", known(key)));
                right(value).then(|| Some(value.to_owned())).ok_or_else(refusal)
            };
            match key {
                "session" => announcement.session = checked(fields::is_session)?,
                "driver" => announcement.driver = checked(fields::is_name)?,
                "location" => announcement.location = checked(fields::is_name)?,
                "can" => announcement.can = value.split(',').filter_map(Kind::from_name).collect(),
                _ => {}
            }
        }
        Ok(announcement)
    }

    /// The parameter's value.
    ///
    /// # Errors
    /// What a reader would refuse.
    pub fn value(&self) -> Result<String, Refusal> {
        let mut value = self.version.to_string();
        for (key, text) in
            [("session", &self.session), ("driver", &self.driver), ("location", &self.location)]
        {
            if let Some(text) = text {
                value.push_str(&format!(";{key}={text}"));
            }
        }
        if self.can != Announcement::new().can {
            let names: Vec<_> = self.can.iter().map(Kind::name).collect();
            value.push_str(&format!(";can={}", names.join(",")));
        }
        Announcement::parse(&value).map(|_| value)
    }

    /// The same as an option of the start-up packet: `-c stationmaster.directives=…`.
    ///
    /// # Errors
    /// What a reader would refuse.
    pub fn option(&self) -> Result<String, Refusal> {
        Ok(format!("-c {ANNOUNCE}={}", self.value()?))
    }
}

impl Default for Announcement {
    fn default() -> Announcement {
        Announcement::new()
    }
}

/// The key as one of ours, so that no text of a stranger gets into messages.
fn known(key: &str) -> &'static str {
    ["session", "driver", "location"].into_iter().find(|one| *one == key).unwrap_or("a key")
}

/// Splits the `options` of a start-up packet into the announcement's value, if there is one, and all the rest,
/// which is what a backend may be given. The last of several counts, as in PostgreSQL.
pub fn split_options(options: &str) -> (Option<String>, String) {
    let (mut value, mut rest) = (None, Vec::new());
    let mut words = split_words(options).into_iter();
    while let Some(word) = words.next() {
        // What follows a bare `-c` is its setting, whatever it looks like, and belongs to nothing else.
        let (setting, argument) = match word {
            "-c" => words.next().map_or((None, None), |argument| (Some(argument), Some(argument))),
            _ => (word.strip_prefix("-c").or_else(|| word.strip_prefix("--")), None),
        };
        match setting.and_then(announced) {
            Some(found) => value = Some(found),
            None => rest.extend(std::iter::once(word).chain(argument)),
        }
    }
    (value, rest.join(" "))
}

/// Words between white space; a backslash makes the next character part of a word, and stays.
fn split_words(options: &str) -> Vec<&str> {
    let (mut words, mut start, mut escaped) = (Vec::new(), None, false);
    for (at, letter) in options.char_indices() {
        let space = letter.is_ascii_whitespace() && !escaped;
        escaped = letter == '\\' && !escaped;
        match (space, start) {
            (true, Some(from)) => {
                words.push(&options[from..at]);
                start = None;
            }
            (false, None) => start = Some(at),
            (true, None) | (false, Some(_)) => {}
        }
    }
    words.extend(start.map(|from| &options[from..]));
    words
}

/// The value, without escapes, if the setting is ours. PostgreSQL takes `-` for `_` in names; ours has neither.
fn announced(setting: &str) -> Option<String> {
    let (name, value) = setting.split_once('=')?;
    if !name.eq_ignore_ascii_case(ANNOUNCE) {
        return None;
    }
    let mut letters = value.chars();
    Some(
        std::iter::from_fn(|| {
            letters.next().and_then(|one| if one == '\\' { letters.next() } else { Some(one) })
        })
        .collect(),
    )
}
