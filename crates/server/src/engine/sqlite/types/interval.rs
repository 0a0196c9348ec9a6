//! Intervals: stored as text, parsed for arithmetic and for the binary format.

use std::fmt;

use super::datetime::{Time, parse_time};

/// Months, days and microseconds, which do not convert into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct Interval {
    pub months: i64,
    pub days: i64,
    pub micros: i64,
}

impl Interval {
    /// Reads `1 year 2 mons -3 days 04:05:06.7`, `90 minutes`, `P1DT2H` and a bare number of seconds.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('@').trim().to_ascii_lowercase();
        if let Some(iso) = text.strip_prefix('p') {
            return Self::parse_iso(iso);
        }
        let (text, ago) = match text.strip_suffix(" ago") {
            Some(before) => (before.to_owned(), true),
            None => (text, false),
        };
        let mut interval = Self::default();
        let mut words = text.split_whitespace().flat_map(number_and_unit).peekable();
        words.peek()?;
        while let Some(word) = words.next() {
            if word.contains(':') {
                interval.micros += clock(word)?;
                continue;
            }
            let number: f64 = word.parse().ok()?;
            interval.add(number, words.next().unwrap_or("s"))?;
        }
        Some(if ago { interval.negated() } else { interval })
    }

    fn parse_iso(text: &str) -> Option<Self> {
        let mut interval = Self::default();
        let (mut rest, mut time) = (text, false);
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('t') {
                (rest, time) = (after, true);
                continue;
            }
            let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let number: f64 = rest[..end].parse().ok()?;
            let unit = match (&rest[end..=end], time) {
                ("m", true) => "minute",
                ("m", false) => "month",
                (unit, _) => unit,
            };
            interval.add(number, unit)?;
            rest = &rest[end + 1..];
        }
        Some(interval)
    }

    fn add(&mut self, number: f64, unit: &str) -> Option<()> {
        if !number.is_finite() || number.abs() > 1e12 {
            return None;
        }
        let micros = |seconds: f64| (number * seconds * 1e6).round() as i64;
        let months = |each: f64| (number * each).round() as i64;
        match unit.trim_end_matches('s') {
            "microsecond" | "u" => self.micros += number.round() as i64,
            "millisecond" | "m" if unit == "ms" || unit.len() > 2 => self.micros += micros(1e-3),
            "" | "second" | "sec" => self.micros += micros(1.0),
            "minute" | "min" | "m" => self.micros += micros(60.0),
            "hour" | "hr" | "h" => self.micros += micros(3600.0),
            "day" | "d" => self.add_days(number),
            "week" | "w" => self.add_days(number * 7.0),
            "month" | "mon" => self.months += months(1.0),
            "year" | "yr" | "y" => self.months += months(12.0),
            "decade" => self.months += months(120.0),
            "century" | "centurie" => self.months += months(1200.0),
            _unknown => return None,
        }
        Some(())
    }

    fn add_days(&mut self, days: f64) {
        self.days += days.trunc() as i64;
        self.micros += (days.fract() * 86_400e6).round() as i64;
    }

    pub fn negated(self) -> Self {
        Self { months: -self.months, days: -self.days, micros: -self.micros }
    }
}

/// `1day` is two words.
fn number_and_unit(word: &str) -> impl Iterator<Item = &str> {
    let split = match word.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) if at > 0 && !word.contains(':') => at,
        _whole => word.len(),
    };
    [&word[..split], &word[split..]].into_iter().filter(|part| !part.is_empty())
}

fn clock(word: &str) -> Option<i64> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.trim_start_matches('+')),
    };
    if let Some(micros) = parse_time(digits) {
        return Some(sign * micros);
    }
    let mut parts = digits.split(':');
    let hours: i64 = parts.next()?.parse().ok().filter(|hours| *hours < 1_000_000_000)?;
    let rest = parse_time(&format!("00:{}", parts.collect::<Vec<_>>().join(":")))?;
    Some(sign * (hours * 3_600_000_000 + rest))
}

impl fmt::Display for Interval {
    /// PostgreSQL's `postgres` style.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (count, one) in [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")] {
            if count != 0 {
                parts.push(format!("{count} {one}{}", if count == 1 { "" } else { "s" }));
            }
        }
        if self.micros != 0 || parts.is_empty() {
            let sign = if self.micros < 0 { "-" } else { "" };
            parts.push(format!("{sign}{}", Time(self.micros.abs())));
        }
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_in_all_their_spellings() {
        let table = [
            ("1 day", "1 day"),
            ("1 year 2 mons -3 days 04:05:06.7", "1 year 2 mons -3 days 04:05:06.7"),
            ("90 minutes", "01:30:00"),
            ("1.5 hours", "01:30:00"),
            ("2 weeks", "14 days"),
            ("1h", "01:00:00"),
            ("-1 day", "-1 days"),
            ("1 day ago", "-1 days"),
            ("100:00:00", "100:00:00"),
            ("P1DT2H", "1 day 02:00:00"),
            ("P1M", "1 mon"),
            ("5", "00:00:05"),
            ("250 ms", "00:00:00.25"),
        ];
        for (text, expected) in table {
            let read = Interval::parse(text).map(|interval| interval.to_string());
            assert_eq!(read.as_deref(), Some(expected), "{text}");
        }
        assert_eq!(Interval::parse(""), None);
        assert_eq!(Interval::parse("a while"), None);
    }
}
