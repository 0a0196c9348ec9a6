//! How long a group of commits waits for others to share its put: decisions only.
//!
//! Sessions that were acknowledged together tend to come back together, a moment after the put. Who goes on with the first
//! of them makes two cohorts that wait for each other's puts. So a group waits until as many have come as were in
//! the last one; where that does not happen in time, sessions do not behave like that, and it is not tried for a while.

use std::time::Duration;

/// Puts faster than this are not waited for: the wait would cost as much as it spares.
const PUT_MIN: Duration = Duration::from_micros(500);

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_millis(3);

/// Groups that go without waiting after one that waited in vain.
const DISAPPOINTED: u32 = 8;

/// What is remembered of earlier groups.
#[derive(Debug, Default)]
pub struct Gathering {
    last: u64,
    last_put: Duration,
    disappointed: u32,
}

impl Gathering {
    /// Whether those who commit do so one at a time.
    pub fn alone(&self) -> bool {
        self.last <= 1
    }

    /// How many commits to wait for, and how long at most; nothing when the group should go at once.
    pub fn wait(&self, pending: u64) -> Option<(u64, Duration)> {
        let worth_it = self.last_put >= PUT_MIN && self.disappointed == 0;
        (worth_it && pending < self.last).then(|| (self.last, (self.last_put / 2).min(WAIT_MAX)))
    }

    /// A wait for `self.last` commits was over, with or without them.
    pub fn waited(&mut self, came: bool) {
        if !came {
            self.disappointed = DISAPPOINTED;
        }
    }

    /// A group of so many transactions took so long.
    pub fn put(&mut self, transactions: u64, took: Duration) {
        self.last = transactions;
        self.last_put = took;
        self.disappointed = self.disappointed.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_group_waits_for_as_many_as_came_last_time() {
        let mut gathering = Gathering::default();
        assert_eq!(gathering.wait(1), None, "nothing is known yet");
        gathering.put(8, 2 * MS);
        assert_eq!(gathering.wait(1), Some((8, MS)));
        assert_eq!(gathering.wait(8), None, "all are here");
        gathering.put(8, 300 * MS);
        assert_eq!(gathering.wait(7), Some((8, 3 * MS)), "never long");
    }

    #[test]
    fn one_alone_and_fast_puts_never_wait() {
        let mut gathering = Gathering::default();
        gathering.put(1, 30 * MS);
        assert_eq!(gathering.wait(1), None);
        gathering.put(8, MS / 10);
        assert_eq!(gathering.wait(1), None);
    }

    #[test]
    fn waiting_in_vain_is_not_repeated_at_once() {
        let mut gathering = Gathering::default();
        gathering.put(8, 2 * MS);
        gathering.waited(false);
        for _ in 0..DISAPPOINTED {
            assert_eq!(gathering.wait(3), None);
            gathering.put(8, 2 * MS);
        }
        assert!(gathering.wait(3).is_some(), "but tried again in the end");
    }
}
