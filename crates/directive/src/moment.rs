//! Time as receivers see it.

/// A moment on a monotonic clock: milliseconds since any fixed one, such as the start of the process.
///
/// Passed in everywhere; nothing here reads a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// So many milliseconds later.
    #[must_use]
    pub const fn after_ms(self, ms: u64) -> Moment {
        Moment(self.0.saturating_add(ms))
    }

    /// Milliseconds from `now` until this; 0 when it is not later.
    pub const fn ms_from(self, now: Moment) -> u64 {
        self.0.saturating_sub(now.0)
    }
}
