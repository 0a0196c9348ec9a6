//! The recent measurements of one kind.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::limits::{HEALTH_SAMPLES_MAX, HEALTH_WINDOW};

/// What was measured within [`HEALTH_WINDOW`], and what is being measured.
#[derive(Debug, Default)]
pub struct Samples {
    kept: VecDeque<(Instant, Duration)>,
    begun: Option<Instant>,
}

impl Samples {
    /// A measurement that somebody else made.
    pub fn add(&mut self, now: Instant, took: Duration) {
        if self.kept.len() == HEALTH_SAMPLES_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back((now, took));
    }

    /// A measurement begins. False, and nothing begins, while one goes on.
    pub fn begin(&mut self, now: Instant) -> bool {
        let free = self.begun.is_none();
        self.begun.get_or_insert(now);
        free
    }

    /// It has ended.
    pub fn end(&mut self, now: Instant) {
        if let Some(begun) = self.begun.take() {
            self.add(now, now.saturating_duration_since(begun));
        }
    }

    /// The median, or the age of what has not ended yet when that is more: one that hangs is not to be overlooked.
    pub fn typical(&mut self, now: Instant) -> Option<Duration> {
        self.forget(now);
        let mut times: Vec<Duration> = self.kept.iter().map(|(_, took)| *took).collect();
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied();
        let pending = self.begun.map(|begun| now.saturating_duration_since(begun));
        // Right after its beginning it says nothing.
        median.max(pending.filter(|age| median.is_some() || !age.is_zero()))
    }

    /// When the last one ended.
    pub fn last(&self) -> Option<Instant> {
        self.kept.back().map(|(at, _)| *at)
    }

    fn forget(&mut self, now: Instant) {
        while self.kept.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > HEALTH_WINDOW) {
            self.kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_single_hiccup_does_not_count_and_lasting_slowness_does() {
        let now = Instant::now();
        let mut samples = Samples::default();
        for took in [1, 2, 900, 1, 2] {
            samples.add(now, MS * took);
        }
        assert_eq!(samples.typical(now), Some(MS * 2));
        for took in [900, 950, 900] {
            samples.add(now, MS * took);
        }
        assert_eq!(samples.typical(now), Some(MS * 900));
    }

    #[test]
    fn what_hangs_counts_by_its_age() {
        let now = Instant::now();
        let mut samples = Samples::default();
        assert_eq!(samples.typical(now), None);
        samples.add(now, MS);
        assert!(samples.begin(now) && !samples.begin(now + MS));
        assert_eq!(samples.typical(now + MS * 700), Some(MS * 700));
        samples.end(now + MS * 800);
        samples.add(now + MS * 800, MS);
        assert_eq!(samples.typical(now + MS * 800), Some(MS), "it has ended, and was alone");
    }

    #[test]
    fn old_measurements_are_forgotten_and_few_are_kept() {
        let now = Instant::now();
        let mut samples = Samples::default();
        for _ in 0..HEALTH_SAMPLES_MAX + 9 {
            samples.add(now, MS);
        }
        assert_eq!(samples.kept.len(), HEALTH_SAMPLES_MAX);
        assert_eq!(samples.typical(now + HEALTH_WINDOW + MS), None);
    }
}
