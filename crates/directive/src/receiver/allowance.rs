//! How long a client may be held up.

use crate::Moment;

/// Counts held time against the owner's limit. Time without a hold gives back what was used.
#[derive(Debug, Clone, Default)]
pub struct Allowance {
    /// What is used, the rest of the present hold included, in milliseconds.
    used_ms: u64,
    /// Up to where time is accounted for.
    at: Moment,
    /// The end of what was granted.
    held_until: Moment,
}

impl Allowance {
    /// Asks for a hold from now on; the answer is how long it may be, in milliseconds: 0 to `wanted_ms`.
    pub fn take(&mut self, wanted_ms: u64, most_ms: u64, now: Moment) -> u64 {
        self.go_on(now);
        let from = self.held_until.max(now);
        let more = now.after_ms(wanted_ms).ms_from(from).min(most_ms.saturating_sub(self.used_ms));
        self.used_ms += more;
        self.held_until = from.after_ms(more);
        wanted_ms.min(self.held_until.ms_from(now))
    }

    /// The present holds end by then: what they do not use is given back.
    pub fn give_back(&mut self, until: Moment, now: Moment) {
        self.go_on(now);
        let end = until.max(now);
        self.used_ms = self.used_ms.saturating_sub(self.held_until.ms_from(end));
        self.held_until = self.held_until.min(end);
    }

    fn go_on(&mut self, now: Moment) {
        let free_ms = now.ms_from(self.at.max(self.held_until));
        self.used_ms = self.used_ms.saturating_sub(free_ms);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_no_sequence_of_holds_freezes_a_client_for_longer_than_its_owner_allows() {
        let most = 1_000;
        for step in [1, 7, 100, 999, 1_000, 1_001] {
            let (mut allowance, mut held_until, mut stretch, mut held) = (Allowance::default(), 0, 0, 0);
            for now in 0..20_000_u64 {
                if now % step == 0 {
                    held_until = held_until.max(now + allowance.take(5_000, most, Moment(now)));
                }
                stretch = if now < held_until { stretch + 1 } else { 0 };
                held += u64::from(now < held_until);
                assert!(stretch <= most, "held for {stretch} ms at {now}, asked every {step} ms");
            }
            assert!(held <= 20_000 / 2 + most, "held for {held} of 20,000 ms");
        }
    }

    #[test]
    fn what_is_not_used_comes_back() {
        let mut allowance = Allowance::default();
        assert_eq!(allowance.take(800, 1_000, Moment(0)), 800);
        allowance.give_back(Moment(100), Moment(100));
        assert_eq!(allowance.take(5_000, 1_000, Moment(100)), 900);
        // A second hold beside the first uses nothing, as long as it is not longer.
        assert_eq!(allowance.take(500, 1_000, Moment(100)), 500);
        assert_eq!(allowance.take(5_000, 1_000, Moment(1_000)), 0);
        assert_eq!(allowance.take(5_000, 1_000, Moment(1_500)), 500);
    }
}
