//! When trouble that comes and goes is said: at once, and that it is over only after a calm while.

use std::time::Duration;

use tokio::time::Instant;

/// Whether something is said to be wrong.
#[derive(Debug, Default)]
pub struct Alarm {
    /// When it last was wrong, if that was said.
    last: Option<Instant>,
}

impl Alarm {
    /// How it is now. What is news: `true` that it is wrong, `false` that it has been well for this long.
    pub fn on(&mut self, wrong: bool, calm: Duration, now: Instant) -> Option<bool> {
        match (self.last, wrong) {
            (before, true) => {
                self.last = Some(now);
                before.is_none().then_some(true)
            }
            (Some(last), false) if now.saturating_duration_since(last) >= calm => {
                self.last = None;
                Some(false)
            }
            (Some(_) | None, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_that_flaps_is_said_once_s10_c18() {
        let began = Instant::now();
        let mut alarm = Alarm::default();
        let mut said = Vec::new();
        // Wrong in every second of the first twenty, but for each third one.
        for second in 0..40_u64 {
            let wrong = second < 20 && second % 3 != 0;
            let now = began + Duration::from_secs(second);
            said.extend(alarm.on(wrong, Duration::from_secs(10), now).map(|news| (second, news)));
        }
        assert_eq!(said, [(1, true), (29, false)]);
    }
}
