//! Which events are looked at (R42).

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{Event, Source, sources};

/// Which events pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// All.
    #[default]
    All,
    /// What may affect performance.
    Performance,
    /// What may cause or foretell a failure or a failover.
    Failure,
    /// These sources. One that ends in `*` stands for all that begin so.
    Chosen(Vec<String>),
}

/// A text that is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Nothing would ever pass.
    #[error("a filter is all, performance, failure, or sources like cpu_used_ratio and errors.*")]
    Empty,
    /// Not a source.
    #[error(
        "{0:?} is no source, nor the beginning of one before a `*`; all, performance and failure stand alone"
    )]
    NoSource(String),
}

/// How many events came and how many passed since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passage {
    /// All that came.
    pub seen: u64,
    /// Those that passed the filter.
    pub passed: u64,
    /// Those that passed, but whose source was one too many.
    pub dropped: u64,
}

impl Filter {
    /// From several words, as a list in a file or on a command line gives them.
    ///
    /// # Errors
    /// The first word that makes no sense.
    pub fn of<T: AsRef<str>>(words: &[T]) -> Result<Self, FilterError> {
        match words {
            [] => Err(FilterError::Empty),
            [one] => match one.as_ref().trim() {
                "all" => Ok(Self::All),
                "performance" => Ok(Self::Performance),
                "failure" => Ok(Self::Failure),
                "" => Err(FilterError::Empty),
                one => chosen([one]),
            },
            several => chosen(several.iter().map(|word| word.as_ref().trim())),
        }
    }

    /// Whether an event passes. Sources of others mean both unless their posts said otherwise.
    pub fn passes(&self, event: &Event, declared: &BTreeMap<Source, (bool, bool)>) -> bool {
        let (performance, failure) = match sources::known(&event.source) {
            Some(known) => (known.performance, known.failure),
            None => declared.get(&event.source).copied().unwrap_or((true, true)),
        };
        match self {
            Self::All => true,
            Self::Performance => performance,
            Self::Failure => failure,
            Self::Chosen(chosen) => chosen.iter().any(|chosen| matches(chosen, event.source.as_ref())),
        }
    }
}

fn chosen<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Filter, FilterError> {
    let sound = |word: &str| match word.strip_suffix('*') {
        Some(beginning) => {
            let open = [sources::ERRORS, sources::EXTERNAL];
            let begun = |name: &str| name.starts_with(beginning) || beginning.starts_with(name);
            sources::KNOWN.iter().any(|known| known.name.starts_with(beginning))
                || open.into_iter().any(begun)
        }
        None => word.parse().is_ok_and(|word| sources::known(&word).is_some() || sources::is_external(&word)),
    };
    let word =
        |word: &str| if sound(word) { Ok(word.into()) } else { Err(FilterError::NoSource(word.into())) };
    words.into_iter().map(word).collect::<Result<_, _>>().map(Filter::Chosen)
}

fn matches(chosen: &str, source: &str) -> bool {
    match chosen.strip_suffix('*') {
        Some(beginning) => source.starts_with(beginning),
        None => source == chosen,
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::of(&text.split(',').collect::<Vec<_>>())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.pad("all"),
            Self::Performance => f.pad("performance"),
            Self::Failure => f.pad("failure"),
            Self::Chosen(sources) => f.pad(&sources.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{Scope, Unit};

    fn passes(filter: &str, source: &str) -> bool {
        let source = source.parse().expect(source);
        let event = Event { source, scope: Scope::Server, value: 1.0, unit: Unit::Count, at: Instant::now() };
        filter.parse::<Filter>().expect(filter).passes(&event, &BTreeMap::new())
    }

    #[test]
    fn r42_each_filter_passes_its_kinds() {
        for (filter, source, expected) in [
            ("all", "cpu_used_ratio", true),
            ("performance", "cpu_used_ratio", true),
            ("performance", "data_disk_used_ratio", false),
            ("failure", "data_disk_used_ratio", true),
            ("failure", "cpu_used_ratio", false),
            ("failure", "errors.58", true),
            ("failure", "external.x", true),
            ("cpu_used_ratio", "cpu_used_ratio", true),
            ("cpu_used_ratio,errors.*", "errors.40", true),
            ("cpu_used_ratio", "cpu_used", false),
            ("*", "anything", true),
        ] {
            assert_eq!(passes(filter, source), expected, "{filter} {source}");
        }
    }

    #[test]
    fn what_is_no_filter_says_what_one_is() {
        for text in
            ["", " ", "all,cpu_used_ratio", "CPU", "some", "cpuu*", "a b", "*x", "cpu_used_ratio,,errors.*"]
        {
            let error = text.parse::<Filter>().expect_err(text).to_string();
            assert!(error.contains("all, performance"), "{text}: {error}");
        }
        let filter: Filter = "cpu_used_ratio, errors.*".parse().expect("a list");
        assert_eq!(filter.to_string(), "cpu_used_ratio,errors.*");
    }
}
