//! Sums that fade: what came a half-life ago counts half.

use std::f64::consts::LN_2;

/// How fast sums fade. In seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalfLife(pub f64);

impl HalfLife {
    /// What is left of 1 after so many seconds.
    pub fn left(self, seconds: f64) -> f64 {
        (-LN_2 * seconds.max(0.0) / self.0).exp()
    }

    /// The rate per second of what summed up to this, having been watched for so many seconds. What was watched for
    /// only a moment counts as watched for a while, so that one burst is no rate.
    pub fn rate(self, sum: f64, watched: f64) -> f64 {
        sum / self.sum(1.0, watched)
    }

    /// What a rate per second sums up to while it is watched for so many seconds: the inverse of [`rate`](Self::rate).
    pub fn sum(self, rate: f64, watched: f64) -> f64 {
        let weight = 1.0 - self.left(watched.max(WATCHED_MIN));
        rate * self.0 / LN_2 * weight
    }
}

/// Of a shorter time than this no rate is told. In seconds.
const WATCHED_MIN: f64 = 5.0;

/// A sum that fades. Times are seconds since one beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Decayed {
    sum: f64,
    at: f64,
}

impl Decayed {
    /// So much more.
    pub fn add(&mut self, amount: f64, now: f64, half_life: HalfLife) {
        *self = Self { sum: self.sum(now, half_life) + amount, at: now };
    }

    /// What it is now.
    pub fn sum(&self, now: f64, half_life: HalfLife) -> f64 {
        self.sum * half_life.left(now - self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_LIFE: HalfLife = HalfLife(90.0);

    /// Two a second, for so long.
    fn steady(seconds: u32) -> Decayed {
        let mut sum = Decayed::default();
        for second in 1..=seconds {
            sum.add(2.0, f64::from(second), HALF_LIFE);
        }
        sum
    }

    #[test]
    fn a_steady_rate_is_told_from_the_beginning() {
        for seconds in [5, 10, 90, 900] {
            let rate = HALF_LIFE.rate(steady(seconds).sum(seconds.into(), HALF_LIFE), seconds.into());
            assert!((rate - 2.0).abs() < 0.02, "{rate} after {seconds} s");
        }
    }

    #[test]
    fn a_half_life_halves_it() {
        let sum = steady(900);
        let (then, later) = (sum.sum(900.0, HALF_LIFE), sum.sum(990.0, HALF_LIFE));
        assert!((later / then - 0.5).abs() < 1e-9, "{then} {later}");
    }

    #[test]
    fn one_burst_is_no_rate() {
        let mut sum = Decayed::default();
        sum.add(10.0, 0.0, HALF_LIFE);
        assert!(HALF_LIFE.rate(sum.sum(0.1, HALF_LIFE), 0.1) < 2.1);
    }
}
