//! The recent samples of one source, in one scope.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{Take, limits::SAMPLES_MAX};

/// Samples in the order of their times, as far back as some rule looks.
#[derive(Debug, Default)]
pub struct Window {
    samples: VecDeque<(Instant, f64)>,
}

/// What a window comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Folded {
    /// The value.
    pub value: f64,
    /// From how many samples.
    pub samples: usize,
}

impl Window {
    /// One more; what is older than `keep` is forgotten. A sample from before the last one counts as taken with it.
    pub fn add(&mut self, at: Instant, value: f64, keep: Duration) {
        let at = self.samples.back().map_or(at, |(last, _)| at.max(*last));
        self.forget(at, keep);
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back((at, value));
    }

    /// Forgets what is older than `keep`; whether anything is left.
    pub fn forget(&mut self, now: Instant, keep: Duration) -> bool {
        while self.samples.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > keep) {
            self.samples.pop_front();
        }
        !self.samples.is_empty()
    }

    /// What the samples of the last `over` come to; the last one alone has to be as young as `fresh`.
    pub fn fold(&self, take: Take, over: Duration, fresh: Duration, now: Instant) -> Option<Folded> {
        let age = |at: &Instant| now.saturating_duration_since(*at);
        let reach = if take == Take::Last { fresh } else { over };
        let recent =
            self.samples.iter().rev().take_while(|(at, _)| age(at) <= reach).map(|(_, value)| *value);
        match take {
            Take::Last => recent.take(1).last().map(|value| Folded { value, samples: 1 }),
            // Nobody counted anything: that is none.
            Take::Sum => Some(fold(recent, 0.0, |sum, value| sum + value)),
            Take::Mean => {
                let Folded { value, samples } = fold(recent, 0.0, |sum, value| sum + value);
                (samples > 0).then_some(Folded { value: value / samples as f64, samples })
            }
            Take::Min => some(fold(recent, f64::INFINITY, f64::min)),
            Take::Max => some(fold(recent, f64::NEG_INFINITY, f64::max)),
        }
    }
}

fn fold(values: impl Iterator<Item = f64>, zero: f64, step: impl Fn(f64, f64) -> f64) -> Folded {
    values.fold(Folded { value: zero, samples: 0 }, |folded, value| Folded {
        value: step(folded.value, value),
        samples: folded.samples + 1,
    })
}

fn some(folded: Folded) -> Option<Folded> {
    (folded.samples > 0).then_some(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn each_way_of_taking_sees_its_own_time() {
        let start = Instant::now();
        let mut window = Window::default();
        for (second, value) in [(0, 9.0), (5, 1.0), (6, 2.0), (7, 6.0)] {
            window.add(start + S * second, value, S * 60);
        }
        let fold = |take, over, now| window.fold(take, S * over, S * 3, start + S * now).map(|f| f.value);
        for (take, over, now, expected) in [
            (Take::Last, 0, 7, Some(6.0)),
            (Take::Last, 0, 11, None),
            (Take::Mean, 2, 7, Some(3.0)),
            (Take::Mean, 2, 60, None),
            (Take::Min, 10, 7, Some(1.0)),
            (Take::Max, 2, 7, Some(6.0)),
            (Take::Sum, 2, 7, Some(9.0)),
            (Take::Sum, 2, 60, Some(0.0)),
        ] {
            assert_eq!(fold(take, over, now), expected, "{take:?} over {over} at {now}");
        }
    }

    #[test]
    fn little_is_kept_and_a_late_sample_does_not_go_back() {
        let start = Instant::now() + S * 100;
        let mut window = Window::default();
        for _ in 0..SAMPLES_MAX + 9 {
            window.add(start, 1.0, S);
        }
        assert_eq!(window.samples.len(), SAMPLES_MAX);
        window.add(start - S * 50, 7.0, S);
        assert_eq!(window.fold(Take::Last, S, S, start).map(|f| f.value), Some(7.0));
        assert!(!window.forget(start + S * 2, S));
    }
}
