//! Times as people and programs read them.

use crate::TimestampMs;

const DAY_MS: u64 = 86_400_000;

impl TimestampMs {
    /// As RFC 3339 writes it in UTC, to the millisecond: `2026-11-22T02:30:00.250Z`.
    pub fn rfc3339(self) -> String {
        let (year, month, day) = civil(self.0 / DAY_MS);
        let (seconds, ms) = (self.0 % DAY_MS / 1000, self.0 % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Year, month and day of so many days after 1970-01-01
/// (<https://howardhinnant.github.io/date_algorithms.html>, `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_says() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_314_600_250, "2026-11-22T02:30:00.250Z"),
        ] {
            assert_eq!(TimestampMs(ms).rfc3339(), text);
        }
        // Whatever a damaged snapshot holds is written without a panic.
        assert!(!TimestampMs(u64::MAX).rfc3339().is_empty());
    }
}
