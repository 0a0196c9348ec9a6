//! When a controller makes a snapshot of its own: the larger the map, the more entries lie between two, and no two
//! controllers at the same entry.
//!
//! All apply the same entries, so each has its own places in the log, evenly spread: while one encodes and writes, the
//! others, a majority, are as quick as ever.

/// A map of so many databases is written once for each entry of the log, at most. Of a large one the log stays a small
/// part then, and so does the time that a restart takes to apply it.
const DATABASES_PER_ENTRY: u64 = 10;

/// The places in the log at which one controller makes its snapshots.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    every: u64,
    offset: u64,
}

impl Places {
    /// Of the controller that is the `nth` of `all`, counted from zero, with a map of so many databases. There are
    /// `every_min` entries between two snapshots at least.
    pub fn new(every_min: u64, databases: u64, nth: u64, all: u64) -> Self {
        let every = every_min.max(databases / DATABASES_PER_ENTRY).max(1);
        Self { every, offset: every / all.max(1) * nth }
    }

    /// Whether it has passed such a place since the newest snapshot.
    pub fn passed(&self, snapshot: u64, applied: u64) -> bool {
        let passed = |index: u64| (index + self.every - self.offset) / self.every;
        passed(applied) > passed(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where snapshots are made in a log of so many entries, if each is looked at.
    fn made(places: Places, entries: u64) -> Vec<u64> {
        let mut made = Vec::new();
        for applied in 1..=entries {
            if places.passed(made.last().copied().unwrap_or(0), applied) {
                made.push(applied);
            }
        }
        made
    }

    #[test]
    fn three_controllers_take_turns() {
        let of = |nth| made(Places::new(300, 0, nth, 3), 1_000);
        assert_eq!(of(0), [300, 600, 900]);
        assert_eq!(of(1), [100, 400, 700, 1_000]);
        assert_eq!(of(2), [200, 500, 800]);
    }

    #[test]
    fn a_place_that_was_passed_long_ago_is_made_up_for_once() {
        let places = Places::new(300, 0, 1, 3);
        assert!(places.passed(100, 950));
        assert!(!places.passed(950, 999));
        assert!(places.passed(950, 1_000));
    }

    #[test]
    fn a_large_map_is_written_less_often() {
        assert_eq!(made(Places::new(100, 10_000, 0, 1), 3_500), [1_000, 2_000, 3_000]);
        assert_eq!(made(Places::new(100, 10, 0, 1), 250), [100, 200]);
    }
}
