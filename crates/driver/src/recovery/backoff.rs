//! How long to pause before the next try.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// The pause before try `number` (from 1): twice as long each time, up to two seconds, and shortened by up to a half,
/// so that clients which failed together do not come back together. `random` is from 0 to 1.
pub(crate) fn backoff(number: u32, first: Option<Duration>, random: f64) -> Duration {
    let first = first.unwrap_or(FIRST);
    let whole = first.saturating_mul(1_u32 << number.saturating_sub(1).min(16)).min(LONGEST.max(first));
    whole.mul_f64(1.0 - random.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s6_pauses_double_to_a_limit_and_are_spread() {
        let plain = |number| backoff(number, None, 0.0).as_millis();
        assert_eq!([plain(1), plain(2), plain(3), plain(50)], [20, 40, 80, 2000]);
        for (number, random) in [(1, 0.3), (4, 0.999), (40, 1.0)] {
            let (least, most) = (backoff(number, None, 1.0), backoff(number, None, 0.0));
            let pause = backoff(number, None, random);
            assert!(pause >= least && pause <= most && least * 2 <= most + Duration::from_nanos(4));
        }
        assert_eq!(
            backoff(1, Some(Duration::from_secs(5)), 0.0),
            Duration::from_secs(5),
            "a policy's own pause counts"
        );
    }
}
