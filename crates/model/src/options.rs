//! What can be set for a single database. Rare, so it stands beside the map's entries and not in them.
//!
//! A database has [`DatabaseOptions`]; commands and snapshots carry [`DatabaseOption`]s, one for each setting, so that
//! a change of one never undoes a change of another, and a setting that is new has a number of its own.

use std::{fmt, num::NonZeroU32, time::Duration};

use serde::{Deserialize, Serialize};

/// All options of one database, as they count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseOptions {
    /// How long a request may take until it is ended (R20), in milliseconds. Default: for ever.
    pub time_limit_ms: Option<NonZeroU32>,
    /// Who is taken to be to blame when a request takes longer (R21).
    pub on_time_limit: OnTimeLimit,
}

/// What to do about a request that took longer than its database's limit, once it has been ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OnTimeLimit {
    /// The evidence decides: a slow server loses the database and the request is provided again; a slow query fails.
    #[default]
    Auto,
    /// The server is to blame every time: the request is provided to another one.
    Always,
    /// The query is to blame every time: it fails.
    Never,
}

/// One option with its value. Variants are only ever added at the end: their order is their number on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DatabaseOption {
    /// [`DatabaseOptions::time_limit_ms`].
    TimeLimit(Option<NonZeroU32>),
    /// [`DatabaseOptions::on_time_limit`].
    OnTimeLimit(OnTimeLimit),
}

/// What was typed is no option.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// No option has that name.
    #[error("there is no option \"{name}\"; there are {}", DatabaseOption::NAMES.join(" and "))]
    Unknown {
        /// What was typed.
        name: String,
    },
    /// The option cannot have that value.
    #[error("{option} cannot be \"{value}\": {expected}")]
    Value {
        /// Which option.
        option: &'static str,
        /// What was typed.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

const TIME_LIMIT: &str = "time_limit";
const ON_TIME_LIMIT: &str = "on_time_limit";

impl DatabaseOptions {
    /// How long a request may take; `None` is for ever.
    pub fn time_limit(&self) -> Option<Duration> {
        self.time_limit_ms.map(|ms| Duration::from_millis(ms.get().into()))
    }

    /// Sets one of them.
    pub fn set(&mut self, option: DatabaseOption) {
        match option {
            DatabaseOption::TimeLimit(limit) => self.time_limit_ms = limit,
            DatabaseOption::OnTimeLimit(policy) => self.on_time_limit = policy,
        }
    }

    /// Those that are not at their default.
    pub fn set_ones(&self) -> Vec<DatabaseOption> {
        let default = Self::default();
        let all =
            [DatabaseOption::TimeLimit(self.time_limit_ms), DatabaseOption::OnTimeLimit(self.on_time_limit)];
        all.into_iter()
            .filter(|option| {
                let mut with = default;
                with.set(*option);
                with != default
            })
            .collect()
    }
}

impl DatabaseOption {
    /// The names of all options, as they are typed.
    pub const NAMES: [&str; 2] = [TIME_LIMIT, ON_TIME_LIMIT];

    /// All options at their defaults.
    pub const DEFAULTS: [Self; 2] = [Self::TimeLimit(None), Self::OnTimeLimit(OnTimeLimit::Auto)];

    /// An option as it is typed: `time_limit` is `none`, a number of milliseconds, or a number with `ms`, `s`, `min`
    /// or `h`; `on_time_limit` is `auto`, `always` or `never`. `default` is the default of either.
    ///
    /// # Errors
    /// [`OptionError`] says what may be typed.
    pub fn parse(name: &str, value: &str) -> Result<Self, OptionError> {
        let default = Self::default_of(name)?;
        if value.eq_ignore_ascii_case("default") {
            return Ok(default);
        }
        let wrong = |expected| OptionError::Value { option: default.name(), value: value.into(), expected };
        match default {
            Self::TimeLimit(_) => limit(value)
                .map(Self::TimeLimit)
                .ok_or_else(|| wrong("write 500ms, 2s, 5min or 1h, at most 49 days, or none")),
            Self::OnTimeLimit(_) => {
                policy(value).map(Self::OnTimeLimit).ok_or_else(|| wrong("it is auto, always or never"))
            }
        }
    }

    /// The default of the option of that name.
    ///
    /// # Errors
    /// [`OptionError::Unknown`].
    pub fn default_of(name: &str) -> Result<Self, OptionError> {
        let mut all = Self::DEFAULTS.into_iter();
        all.find(|option| option.name() == name).ok_or_else(|| OptionError::Unknown { name: name.into() })
    }

    /// Its name, as it is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TimeLimit(_) => TIME_LIMIT,
            Self::OnTimeLimit(_) => ON_TIME_LIMIT,
        }
    }

    /// Its value, as it is typed.
    pub fn value(&self) -> String {
        match self {
            Self::TimeLimit(None) => "none".into(),
            Self::TimeLimit(Some(ms)) => match ms.get() {
                ms if ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
                ms if ms % 60_000 == 0 => format!("{}min", ms / 60_000),
                ms if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
                ms => format!("{ms}ms"),
            },
            Self::OnTimeLimit(policy) => policy.to_string(),
        }
    }
}

impl fmt::Display for DatabaseOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name(), self.value())
    }
}

impl fmt::Display for OnTimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        })
    }
}

fn policy(value: &str) -> Option<OnTimeLimit> {
    let all = [OnTimeLimit::Auto, OnTimeLimit::Always, OnTimeLimit::Never];
    all.into_iter().find(|policy| value.eq_ignore_ascii_case(&policy.to_string()))
}

/// The inner `None` is no limit. A bare number is milliseconds and 0 is none, as with PostgreSQL's `statement_timeout`.
fn limit(value: &str) -> Option<Option<NonZeroU32>> {
    let value = value.trim().to_ascii_lowercase();
    if value == "none" {
        return Some(None);
    }
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let (digits, unit) = value.split_at(end);
    let ms_each: u32 = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    digits.parse::<u32>().ok()?.checked_mul(ms_each).map(NonZeroU32::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, value: &str) -> String {
        DatabaseOption::parse(name, value).map_or_else(|error| error.to_string(), |option| option.to_string())
    }

    #[test]
    fn options_are_read_as_they_are_shown() {
        for (value, expected) in [
            ("500", "500ms"),
            ("500ms", "500ms"),
            ("2 s", "2s"),
            ("2000", "2s"),
            ("90s", "90s"),
            ("5MIN", "5min"),
            ("24h", "24h"),
            ("0", "none"),
            ("none", "none"),
            ("default", "none"),
        ] {
            assert_eq!(shown(TIME_LIMIT, value), format!("time_limit={expected}"), "{value}");
            assert_eq!(shown(TIME_LIMIT, expected), format!("time_limit={expected}"));
        }
        for (value, expected) in
            [("auto", "auto"), ("ALWAYS", "always"), ("never", "never"), ("default", "auto")]
        {
            assert_eq!(shown(ON_TIME_LIMIT, value), format!("on_time_limit={expected}"), "{value}");
        }
    }

    #[test]
    fn what_is_no_option_is_refused_with_what_may_be_typed() {
        for value in ["", "-1", "2 days", "1.5s", "1194h", "4294967296", "s"] {
            assert!(shown(TIME_LIMIT, value).contains("write 500ms, 2s, 5min or 1h"), "{value}");
        }
        assert_eq!(
            shown(ON_TIME_LIMIT, "maybe"),
            "on_time_limit cannot be \"maybe\": it is auto, always or never"
        );
        assert_eq!(
            shown("timelimit", "1"),
            "there is no option \"timelimit\"; there are time_limit and on_time_limit"
        );
    }

    #[test]
    fn only_what_is_not_at_its_default_is_kept() {
        let mut options = DatabaseOptions::default();
        assert_eq!(options.set_ones(), []);
        let two = DatabaseOption::TimeLimit(NonZeroU32::new(2_000));
        let never = DatabaseOption::OnTimeLimit(OnTimeLimit::Never);
        [two, never].into_iter().for_each(|option| options.set(option));
        assert_eq!(options.set_ones(), [two, never]);
        assert_eq!(options.time_limit(), Some(Duration::from_secs(2)));
        DatabaseOption::DEFAULTS.into_iter().for_each(|option| options.set(option));
        assert_eq!(options, DatabaseOptions::default());
    }
}
