//! Dates and times: ISO 8601 text as stored, PostgreSQL's binary counts, and back.
//!
//! Moments count microseconds from 2000-01-01 00:00 UTC, dates count days from there, as the wire does.
//! Years run from 1 to 9999, all that SQLite's own functions know. Calendar arithmetic after Howard Hinnant,
//! "chrono-compatible low-level date algorithms".

use std::fmt::{self, Write};

/// Microseconds of a day.
pub(in super::super) const DAY: i64 = 86_400_000_000;
/// Days from 1970-01-01 to 2000-01-01.
pub(in super::super) const EPOCH_DAYS: i64 = 10_957;

/// Days from 2000-01-01 to a date of the Gregorian calendar.
pub(in super::super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468 - EPOCH_DAYS
}

/// Year, month and day of a count of days from 2000-01-01.
pub(in super::super) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + EPOCH_DAYS + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * month_index + 2) / 5 + 1)
}

pub(in super::super) fn days_in_month(year: i64, month: i64) -> i64 {
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_from_civil(next.0, next.1, 1) - days_from_civil(year, month, 1)
}

/// Reads digits and signs from the front of a text.
struct Scanner<'a>(&'a [u8]);

impl Scanner<'_> {
    fn number(&mut self, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
        let length = self.0.iter().take(*digits.end()).take_while(|byte| byte.is_ascii_digit()).count();
        if !digits.contains(&length) {
            return None;
        }
        let value = self.0[..length].iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        self.0 = &self.0[length..];
        Some(value)
    }

    fn eat(&mut self, any: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        any.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    fn spaces(&mut self) {
        while self.eat(b" ").is_some() {}
    }

    fn date(&mut self) -> Option<i64> {
        let year = self.number(4..=4)?;
        let dash = self.eat(b"-/").is_some();
        let month = self.number(2 - usize::from(dash)..=2)?;
        if dash {
            self.eat(b"-/")?;
        }
        let day = self.number(2 - usize::from(dash)..=2)?;
        let valid = year >= 1 && (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
        valid.then(|| days_from_civil(year, month, day))
    }

    /// Microseconds since midnight.
    fn time(&mut self) -> Option<i64> {
        let hour = self.number(1..=2)?;
        self.eat(b":")?;
        let minute = self.number(2..=2)?;
        let mut second = 0;
        let mut micros = 0;
        if self.eat(b":").is_some() {
            second = self.number(2..=2)?;
            if self.eat(b".,").is_some() {
                micros = self.fraction()?;
            }
        }
        let valid = hour <= 24 && minute < 60 && second <= 60;
        let total = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros;
        (valid && total <= DAY).then_some(total)
    }

    /// Up to six digits count, the seventh rounds, more are dropped.
    fn fraction(&mut self) -> Option<i64> {
        let digits: Vec<u8> = self.0.iter().copied().take_while(u8::is_ascii_digit).collect();
        self.0 = &self.0[digits.len()..];
        let micros = (0..6)
            .fold(0, |value, at| value * 10 + digits.get(at).map_or(0, |digit| i64::from(digit - b'0')));
        let round = digits.get(6).is_some_and(|digit| *digit >= b'5');
        (!digits.is_empty()).then_some(micros + i64::from(round))
    }

    /// Microseconds east of UTC; `None` where nothing or nonsense follows.
    fn zone(&mut self) -> Option<i64> {
        self.spaces();
        let rest = std::str::from_utf8(self.0).ok()?;
        if ["z", "utc", "gmt"].iter().any(|name| rest.eq_ignore_ascii_case(name)) {
            self.0 = b"";
            return Some(0);
        }
        let sign = if self.eat(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.number(2..=2)?;
        let colon = self.eat(b":").is_some();
        let minutes = self.number(2..=2).or((!colon).then_some(0))?;
        let seconds = if self.eat(b":").is_some() { self.number(2..=2)? } else { 0 };
        (hours < 16 && minutes < 60 && seconds < 60)
            .then_some(sign * ((hours * 60 + minutes) * 60 + seconds) * 1_000_000)
    }
}

/// Days of `2024-02-29`, also at the front of a timestamp.
pub(in super::super) fn parse_date(text: &str) -> Option<i64> {
    let mut scanner = Scanner(text.trim().as_bytes());
    let days = scanner.date()?;
    if scanner.eat(b" Tt").is_some() && scanner.0.first().is_some_and(u8::is_ascii_digit) {
        scanner.time()?;
    }
    (scanner.0.is_empty() || (scanner.zone().is_some() && scanner.0.is_empty())).then_some(days)
}

/// Microseconds since midnight of `12:34:56.789`; a zone is dropped, as PostgreSQL does for `time`.
pub(in super::super) fn parse_time(text: &str) -> Option<i64> {
    let mut scanner = Scanner(text.trim().as_bytes());
    let time = scanner.time()?;
    (scanner.0.is_empty() || scanner.zone().is_some() && scanner.0.is_empty()).then_some(time)
}

/// The moment of `2024-02-29 12:34:56.789+02`. Without an offset, or with `zone` false, the digits are taken as UTC.
/// Infinities are the ends of the range.
pub(in super::super) fn parse_timestamp(text: &str, zone: bool) -> Option<i64> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "infinity" | "+infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        "epoch" => return Some(-EPOCH_DAYS * DAY),
        _moment => {}
    }
    let mut scanner = Scanner(text.as_bytes());
    let days = scanner.date()?;
    let mut moment = days * DAY;
    scanner.eat(b"Tt");
    scanner.spaces();
    if scanner.0.first().is_some_and(u8::is_ascii_digit) {
        moment += scanner.time()?;
    }
    if !scanner.0.is_empty() {
        let east = scanner.zone()?;
        if zone {
            moment -= east;
        }
    }
    scanner.0.is_empty().then_some(moment)
}

/// `2024-02-29`.
pub(in super::super) struct Date(pub i64);
/// `12:34:56.789`, without trailing zeros.
pub(in super::super) struct Time(pub i64);
/// `2024-02-29 12:34:56.789`, or an infinity.
pub(in super::super) struct Timestamp(pub i64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000;
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        let micros = self.0 % 1_000_000;
        if micros == 0 {
            return Ok(());
        }
        f.write_char('.')?;
        f.write_str(format!("{micros:06}").trim_end_matches('0'))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            i64::MAX => f.write_str("infinity"),
            i64::MIN => f.write_str("-infinity"),
            moment => write!(f, "{} {}", Date(moment.div_euclid(DAY)), Time(moment.rem_euclid(DAY))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_and_its_inverse_agree_for_every_day() {
        for days in days_from_civil(1, 1, 1)..=days_from_civil(9999, 12, 31) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(days_from_civil(2000, 1, 1), 0);
        assert_eq!(days_from_civil(1970, 1, 1), -EPOCH_DAYS);
        assert_eq!(days_in_month(1900, 2), 28);
        assert_eq!(days_in_month(2000, 2), 29);
    }

    #[test]
    fn timestamps_are_read_with_and_without_offset() {
        let table = [
            ("2000-01-01", "2000-01-01 00:00:00"),
            ("2024-02-29T12:34:56.789012Z", "2024-02-29 12:34:56.789012"),
            ("2024-02-29 12:34:56.5+02", "2024-02-29 10:34:56.5"),
            ("2024-02-29 00:10+0530", "2024-02-28 18:40:00"),
            ("2024-02-29 00:10 UTC", "2024-02-29 00:10:00"),
            ("20240229 101112", ""),
            ("2023-02-29", ""),
            ("2024-02-29 25:00", ""),
            ("tomorrow", ""),
            ("infinity", "infinity"),
        ];
        for (text, expected) in table {
            let read = parse_timestamp(text, true).map(|moment| Timestamp(moment).to_string());
            assert_eq!(read.unwrap_or_default(), expected, "{text}");
        }
        assert_eq!(parse_timestamp("2000-01-01 00:00:00+02", false), Some(0));
    }

    #[test]
    fn fractions_round_at_the_seventh_digit() {
        assert_eq!(parse_time("00:00:00.1234567"), Some(123_457));
        assert_eq!(parse_time("23:59:59+02"), Some(86_399_000_000));
        assert_eq!(parse_time("24:00:01"), None);
        assert_eq!(Time(1_500_000).to_string(), "00:00:01.5");
    }

    #[test]
    fn a_date_is_read_from_the_front_of_a_timestamp() {
        assert_eq!(parse_date("2000-01-02"), Some(1));
        assert_eq!(parse_date("2000-01-02 10:00:00"), Some(1));
        assert_eq!(parse_date("2000-1-2"), Some(1));
        assert_eq!(parse_date("2000-01-02 +00"), Some(1));
        assert_eq!(parse_date("2000-01-02x"), None);
    }
}
