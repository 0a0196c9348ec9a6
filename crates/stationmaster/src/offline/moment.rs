//! Moments as RFC 3339 writes them, to the millisecond.

use std::{fmt, str::FromStr};

use model::TimestampMs;

const DAY_MS: i64 = 86_400_000;

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub TimestampMs);

/// The text is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a time from 1970 on in the form of RFC 3339, like 2026-11-22T02:30:00Z or 2026-11-22T03:30:00.250+01:00"
)]
pub struct NoMoment;

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        read(text).map(|ms| Self(TimestampMs(ms))).ok_or(NoMoment)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.rfc3339())
    }
}

/// Milliseconds since the Unix epoch. What is finer is cut off.
fn read(text: &str) -> Option<u64> {
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.as_bytes()[10], b'T' | b't' | b' ') {
        return None;
    }
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let sign = time.find(['Z', 'z', '+', '-'])?;
    let (clock, offset) = time.split_at(sign);
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(clock, rest)| (clock, Some(rest)));
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    // A leap second is the first of the next minute.
    let sound =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let days = days(year, month, day);
    // No such day of that month is another day when it is written.
    let written = TimestampMs(u64::try_from(days * DAY_MS).ok()?).rfc3339();
    if !sound || !written.starts_with(date) {
        return None;
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    let ms = days * DAY_MS + seconds * 1000 + fraction.map_or(Some(0), millis)? - offset_ms(offset)?;
    u64::try_from(ms).ok()
}

/// Three numbers of so many digits each.
fn fields(text: &str, separator: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        *number = parts.next().filter(|part| part.len() == digits).and_then(number_of)?;
    }
    parts.next().is_none().then_some(numbers)
}

fn number_of(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// The first three digits after the point.
fn millis(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("00".chars()).take(3).collect();
    digits.parse().ok()
}

fn offset_ms(offset: &str) -> Option<i64> {
    if offset.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let two = |part: &str| Some(part).filter(|part| part.len() == 2).and_then(number_of);
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// Days from 1970-01-01 (<https://howardhinnant.github.io/date_algorithms.html>, `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_form_of_the_standard() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2026-11-22T02:30:00Z", 1_795_314_600_000),
            ("2026-11-22t03:30:00.25+01:00", 1_795_314_600_250),
            ("2026-11-21 21:30:00.0019-05:00", 1_795_314_600_001),
            ("1999-12-31T23:59:60Z", 946_684_800_000),
        ] {
            assert_eq!(text.parse(), Ok(Moment(TimestampMs(ms))), "{text}");
        }
        assert_eq!(Moment(TimestampMs(1_795_314_600_250)).to_string(), "2026-11-22T02:30:00.250Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-11-22",
            "2026-11-22T02:30:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T02:30:00.Z",
            "2026-11-22T02:30:00+1:00",
            "2026-11-22T02:30:00Zulu",
            "1969-12-31T23:59:59Z",
            "+026-11-22T02:30:00Z",
            "2026-11-22ß02:30:00Z",
            "20é6-11-2T02:30:00Z",
        ] {
            assert_eq!(text.parse::<Moment>(), Err(NoMoment), "{text}");
        }
    }

    #[test]
    fn every_day_for_two_centuries_comes_back() {
        for day in 0..73_050 {
            let moment = Moment(TimestampMs(day * DAY_MS as u64));
            assert_eq!(moment.to_string().parse(), Ok(moment));
        }
    }
}
