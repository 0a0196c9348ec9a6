//! The sources that a server has: unit, and what each may mean (R41, R42).

use crate::{Source, Unit};

/// Names of others' sources begin with this.
pub const EXTERNAL: &str = "external.";

/// Errors that statements ended with, by SQLSTATE's class: `errors.58`.
pub const ERRORS: &str = "errors.";

/// A source that is known from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What its values count.
    pub unit: Unit,
    /// Whether it may affect performance (R42 b).
    pub performance: bool,
    /// Whether it may cause or foretell a failure or a failover (R42 c).
    pub failure: bool,
}

const fn both(name: &'static str, unit: Unit) -> Known {
    Known { name, unit, performance: true, failure: true }
}

const fn performance(name: &'static str, unit: Unit) -> Known {
    Known { failure: false, ..both(name, unit) }
}

const fn failure(name: &'static str, unit: Unit) -> Known {
    Known { performance: false, ..both(name, unit) }
}

/// All of them, apart from `errors.` and a class, which counts what statements ended with since the event before.
pub const KNOWN: &[Known] = &[
    // Of the machine or its control group.
    both("memory_used_ratio", Unit::Ratio),
    both("memory_free_bytes", Unit::Bytes),
    performance("memory_pressure_ratio", Unit::Ratio),
    both("memory_stalled_ratio", Unit::Ratio),
    performance("process_memory_bytes", Unit::Bytes),
    performance("cpu_used_ratio", Unit::Ratio),
    performance("cpu_pressure_ratio", Unit::Ratio),
    performance("io_pressure_ratio", Unit::Ratio),
    failure("data_disk_used_ratio", Unit::Ratio),
    failure("data_disk_free_bytes", Unit::Bytes),
    both("data_disk_seconds", Unit::Seconds),
    failure("journal_disk_used_ratio", Unit::Ratio),
    failure("journal_disk_free_bytes", Unit::Bytes),
    failure("files_used_ratio", Unit::Ratio),
    // Of the server itself.
    both("journal_seconds", Unit::Seconds),
    failure("journal_failures", Unit::Count),
    performance("threads_seconds", Unit::Seconds),
    performance("timers_seconds", Unit::Seconds),
    performance("sessions_used_ratio", Unit::Ratio),
    performance("requests_running", Unit::Count),
    performance("databases_loaded_ratio", Unit::Ratio),
    failure("lease_left_ratio", Unit::Ratio),
    // Errors of many classes together.
    failure("errors.server", Unit::Count),
    failure("errors.corruption", Unit::Count),
    performance("errors.conflict", Unit::Count),
    // What is planned.
    failure("leaving", Unit::Count),
    failure("ending", Unit::Count),
];

/// What is known of a source; nothing of others' sources, nor of a name that means none.
pub fn known(source: &Source) -> Option<Known> {
    let name = source.as_ref();
    let class = || name.starts_with(ERRORS).then_some(failure(ERRORS, Unit::Count));
    KNOWN.iter().find(|known| known.name == name).copied().or_else(class)
}

/// Whether this is a source of monitors outside.
pub fn is_external(source: &Source) -> bool {
    source.as_ref().len() > EXTERNAL.len() && source.as_ref().starts_with(EXTERNAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_source_has_a_name_of_its_own_and_means_something() {
        let mut names: Vec<_> = KNOWN.iter().map(|known| known.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KNOWN.len());
        for known in KNOWN {
            let source: Source = known.name.parse().expect(known.name);
            assert_eq!(super::known(&source).map(|known| known.name), Some(known.name));
            assert!(known.performance || known.failure, "{}", known.name);
        }
    }

    #[test]
    fn classes_of_errors_are_known_and_others_sources_are_told_apart() {
        let source = |name: &str| name.parse::<Source>().expect(name);
        assert!(known(&source("errors.58")).is_some_and(|known| known.failure));
        assert_eq!(known(&source("external.x")), None);
        assert!(is_external(&source("external.x")) && !is_external(&source("external.")));
        assert_eq!(known(&source("cpu")), None);
    }
}
