//! How long to wait before a dead child is started again: longer each time, unless it had run well.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST: Duration = Duration::from_secs(10);
/// Whoever ran so long starts from the first pause again.
const RAN_WELL: Duration = Duration::from_secs(10);

/// The pauses of one child.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Before the first death.
    pub fn new() -> Self {
        Self { next: FIRST }
    }

    /// The pause after a life of this length.
    pub fn after(&mut self, lived: Duration) -> Duration {
        if lived >= RAN_WELL {
            self.next = FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_start_over_after_a_good_life() {
        let mut backoff = Backoff::new();
        let pauses: Vec<u128> = (0..8).map(|_| backoff.after(Duration::ZERO).as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert_eq!(backoff.after(RAN_WELL), FIRST);
    }
}
