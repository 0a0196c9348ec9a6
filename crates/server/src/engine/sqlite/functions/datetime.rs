//! Functions of dates, times and intervals, on their stored text.

use rusqlite::types::Value as Sql;
use wire::{oid, sqlstate};

use super::super::sql_error::SqlError;
use super::super::types::datetime::{
    DAY, Date, EPOCH_DAYS, Time, Timestamp, civil_from_days, days_from_civil, days_in_month, parse_time,
    parse_timestamp,
};
use super::super::types::interval::Interval;
use super::super::types::{Type, text as text_format};
use super::{Arguments, Facts, Registrar, Returned, boolean, number, text};

pub(super) const NAMES: &[&str] = &[
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "clock_timestamp",
    "date_trunc",
    "date_part",
    "age",
    "make_date",
    "make_timestamp",
    "isfinite",
    "justify_days",
    "justify_hours",
];

const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;
const SECOND: i64 = 1_000_000;

pub(super) fn register(registrar: &Registrar<'_>, facts: &Facts) -> rusqlite::Result<()> {
    for name in ["now", "transaction_timestamp", "current_timestamp", "pg_localtimestamp"] {
        let facts = facts.clone();
        registrar.volatile(name, 0, move |_| text(Timestamp(facts.now()).to_string()))?;
    }
    for name in ["statement_timestamp", "clock_timestamp"] {
        let facts = facts.clone();
        registrar.volatile(name, 0, move |_| text(Timestamp(facts.clock()).to_string()))?;
    }
    let today = facts.clone();
    registrar.volatile("current_date", 0, move |_| text(Date(today.now().div_euclid(DAY)).to_string()))?;
    for name in ["current_time", "pg_localtime"] {
        let facts = facts.clone();
        registrar.volatile(name, 0, move |_| text(Time(facts.now().rem_euclid(DAY)).to_string()))?;
    }
    for count in [2, 3] {
        registrar.strict("date_trunc", count, |arguments| {
            let unit = arguments.text(0).to_lowercase();
            text(Timestamp(truncate(&unit, moment(arguments, 1)?)?).to_string())
        })?;
    }
    registrar.strict("date_part", 2, |arguments| number(part(arguments)?))?;
    registrar.strict("pg_extract", 2, |arguments| {
        let value = part(arguments)?;
        if value.fract() == 0.0 && value.abs() < 9e15 {
            Ok(Sql::Integer(value as i64))
        } else {
            number(value)
        }
    })?;
    registrar
        .strict("age", 2, |arguments| text(age(moment(arguments, 0)?, moment(arguments, 1)?).to_string()))?;
    let today = facts.clone();
    registrar.add("age", 1, rusqlite::functions::FunctionFlags::SQLITE_UTF8, move |arguments| {
        if arguments.is_null(0) {
            return Ok(Sql::Null);
        }
        text(age(today.now().div_euclid(DAY) * DAY, moment(arguments, 0)?).to_string())
    })?;
    registrar.strict("pg_difference", 2, |arguments| {
        let micros = moment(arguments, 0)? - moment(arguments, 1)?;
        text(Interval { months: 0, days: micros / DAY, micros: micros % DAY }.to_string())
    })?;
    registrar.strict("pg_days", 2, |arguments| {
        let days = |at| moment(arguments, at).map(|moment| moment.div_euclid(DAY));
        Ok(Sql::Integer(days(0)? - days(1)?))
    })?;
    registrar.strict("pg_add_days", 3, |arguments| {
        let days = Interval {
            days: arguments.integer(1).saturating_mul(arguments.integer(2)),
            ..Interval::default()
        };
        let moved = shifted(moment(arguments, 0)?, days).ok_or_else(|| out_of_range("date"))?;
        text(Date(moved.div_euclid(DAY)).to_string())
    })?;
    registrar.strict("pg_add_interval", 3, add_interval)?;
    registrar.strict("pg_scale_interval", 2, |arguments| {
        let interval = interval(arguments, 0)?;
        let factor = arguments.real(1);
        let scaled = |count: i64| count as f64 * factor;
        let (months, days) = (scaled(interval.months), scaled(interval.days));
        let days_left = days.fract() + months.fract() * 30.0;
        let micros = scaled(interval.micros) + days_left * DAY as f64;
        text(Interval { months: months as i64, days: days as i64, micros: micros.round() as i64 }.to_string())
    })?;
    registrar.strict("pg_at_time_zone", 2, |arguments| {
        let east = zone(&arguments.text(1))?;
        text(Timestamp(moment(arguments, 0)? + east).to_string())
    })?;
    registrar.strict("make_date", 3, |arguments| {
        let days = civil(arguments.integer(0), arguments.integer(1), arguments.integer(2))?;
        text(Date(days).to_string())
    })?;
    registrar.strict("make_timestamp", 6, |arguments| {
        let days = civil(arguments.integer(0), arguments.integer(1), arguments.integer(2))?;
        let seconds = (arguments.real(5) * 1e6).round() as i64;
        let time = arguments.integer(3).clamp(0, 24) * HOUR
            + arguments.integer(4).clamp(0, 59) * MINUTE
            + seconds.clamp(0, 60 * SECOND);
        text(Timestamp(days * DAY + time).to_string())
    })?;
    registrar.strict("justify_hours", 1, |arguments| {
        let interval = interval(arguments, 0)?;
        text(
            Interval {
                days: interval.days + interval.micros / DAY,
                micros: interval.micros % DAY,
                ..interval
            }
            .to_string(),
        )
    })?;
    registrar.strict("justify_days", 1, |arguments| {
        let interval = interval(arguments, 0)?;
        text(
            Interval { months: interval.months + interval.days / 30, days: interval.days % 30, ..interval }
                .to_string(),
        )
    })?;
    registrar.strict("isfinite", 1, |arguments| {
        let moment = moment(arguments, 0)?;
        boolean(moment != i64::MAX && moment != i64::MIN)
    })
}

/// A timestamp argument, in microseconds from 2000-01-01.
pub(super) fn moment(arguments: &Arguments<'_, '_>, at: usize) -> Result<i64, SqlError> {
    let mut written = bytes::BytesMut::new();
    text_format::write(Type::new(oid::TIMESTAMP), arguments.value(at), &mut written);
    let written = String::from_utf8_lossy(&written);
    parse_timestamp(&arguments.text(at), true)
        .or_else(|| parse_timestamp(&written, true))
        .ok_or_else(|| bad("timestamp", &written))
}

fn interval(arguments: &Arguments<'_, '_>, at: usize) -> Result<Interval, SqlError> {
    let written = arguments.text(at);
    Interval::parse(&written).ok_or_else(|| bad("interval", &written))
}

fn bad(what: &str, text: &str) -> SqlError {
    SqlError::new(
        sqlstate::INVALID_DATETIME_FORMAT,
        format!("invalid input syntax for type {what}: \"{text}\""),
    )
}

fn out_of_range(what: &str) -> SqlError {
    SqlError::new(sqlstate::DATETIME_FIELD_OVERFLOW, format!("{what} out of range"))
}

fn civil(year: i64, month: i64, day: i64) -> Result<i64, SqlError> {
    let valid = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && day >= 1
        && day <= days_in_month(year, month);
    if valid { Ok(days_from_civil(year, month, day)) } else { Err(out_of_range("date field value")) }
}

/// The start of the unit that a moment is in.
fn truncate(unit: &str, moment: i64) -> Result<i64, SqlError> {
    let days = moment.div_euclid(DAY);
    let (year, month, _) = civil_from_days(days);
    let first = |year: i64, month: i64| Ok(days_from_civil(year, month, 1) * DAY);
    match unit {
        "microsecond" | "microseconds" => Ok(moment),
        "millisecond" | "milliseconds" => Ok(moment - moment.rem_euclid(1000)),
        "second" => Ok(moment - moment.rem_euclid(SECOND)),
        "minute" => Ok(moment - moment.rem_euclid(MINUTE)),
        "hour" => Ok(moment - moment.rem_euclid(HOUR)),
        "day" => Ok(days * DAY),
        // 2000-01-03 was a Monday.
        "week" => Ok((days - (days - 2).rem_euclid(7)) * DAY),
        "month" => first(year, month),
        "quarter" => first(year, (month - 1) / 3 * 3 + 1),
        "year" => first(year, 1),
        "decade" => first((year / 10 * 10).max(1), 1),
        "century" => first((year - 1) / 100 * 100 + 1, 1),
        "millennium" => first((year - 1) / 1000 * 1000 + 1, 1),
        other => Err(unknown_unit(other)),
    }
}

fn unknown_unit(unit: &str) -> SqlError {
    SqlError::new(
        sqlstate::INVALID_PARAMETER_VALUE,
        format!("unit \"{unit}\" not recognized for type timestamp"),
    )
}

/// `date_part(unit, x)`, where `x` is a moment, a time or an interval.
fn part(arguments: &Arguments<'_, '_>) -> Result<f64, SqlError> {
    let unit = arguments.text(0).to_lowercase();
    let written = arguments.text(1);
    if let Ok(moment) = moment(arguments, 1) {
        return of_moment(&unit, moment);
    }
    if let Some(time) = parse_time(&written) {
        return of_moment(&unit, time);
    }
    let interval = Interval::parse(&written).ok_or_else(|| bad("timestamp", &written))?;
    of_interval(&unit, interval)
}

fn of_moment(unit: &str, moment: i64) -> Result<f64, SqlError> {
    let days = moment.div_euclid(DAY);
    let time = moment.rem_euclid(DAY);
    let (year, month, day) = civil_from_days(days);
    let weekday = (days + 6).rem_euclid(7);
    let whole = |value: i64| Ok(value as f64);
    match unit {
        "year" => whole(year),
        "month" => whole(month),
        "day" => whole(day),
        "hour" => whole(time / HOUR),
        "minute" => whole(time / MINUTE % 60),
        "second" => Ok((time % MINUTE) as f64 / 1e6),
        "millisecond" | "milliseconds" => Ok((time % MINUTE) as f64 / 1e3),
        "microsecond" | "microseconds" => whole(time % MINUTE),
        "epoch" => Ok((moment + EPOCH_DAYS * DAY) as f64 / 1e6),
        "dow" => whole(weekday),
        "isodow" => whole(if weekday == 0 { 7 } else { weekday }),
        "doy" => whole(days - days_from_civil(year, 1, 1) + 1),
        "quarter" => whole((month - 1) / 3 + 1),
        "week" => whole(iso_week(days).1),
        "isoyear" => whole(iso_week(days).0),
        "decade" => whole(year / 10),
        "century" => whole((year - 1) / 100 + 1),
        "millennium" => whole((year - 1) / 1000 + 1),
        "timezone" | "timezone_hour" | "timezone_minute" => whole(0),
        other => Err(unknown_unit(other)),
    }
}

/// Year and number of the week that has the Thursday.
pub(super) fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - (days - 2).rem_euclid(7) + 3;
    let (year, ..) = civil_from_days(thursday);
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

fn of_interval(unit: &str, interval: Interval) -> Result<f64, SqlError> {
    let Interval { months, days, micros } = interval;
    let whole = |value: i64| Ok(value as f64);
    match unit {
        "year" => whole(months / 12),
        "month" => whole(months % 12),
        "day" => whole(days),
        "hour" => whole(micros / HOUR),
        "minute" => whole(micros / MINUTE % 60),
        "second" => Ok((micros % MINUTE) as f64 / 1e6),
        "epoch" => {
            let years = (months / 12) as f64 * 365.25 * 86_400.0;
            Ok(years + (months % 12 * 30 + days) as f64 * 86_400.0 + micros as f64 / 1e6)
        }
        other => Err(unknown_unit(other)),
    }
}

/// Months first, then days, then the rest; a day past the month's end becomes its last.
fn shifted(moment: i64, interval: Interval) -> Option<i64> {
    let days = moment.div_euclid(DAY);
    let (year, month, day) = civil_from_days(days);
    let months = (year * 12 + month - 1).checked_add(interval.months)?;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let days =
        days_from_civil(year, month, day.min(days_in_month(year, month))).checked_add(interval.days)?;
    let shifted = days.checked_mul(DAY)?.checked_add(moment.rem_euclid(DAY))?.checked_add(interval.micros)?;
    (1..=9999).contains(&civil_from_days(shifted.div_euclid(DAY)).0).then_some(shifted)
}

fn add_interval(arguments: &Arguments<'_, '_>) -> Returned {
    let mut change = interval(arguments, 1)?;
    if arguments.integer(2) < 0 {
        change = change.negated();
    }
    let Ok(start) = moment(arguments, 0) else {
        let left = interval(arguments, 0)?;
        let sum = Interval {
            months: left.months + change.months,
            days: left.days + change.days,
            micros: left.micros + change.micros,
        };
        return text(sum.to_string());
    };
    if start == i64::MAX || start == i64::MIN {
        return text(Timestamp(start).to_string());
    }
    shifted(start, change)
        .map(|moment| Timestamp(moment).to_string())
        .map(Sql::Text)
        .ok_or_else(|| out_of_range("timestamp"))
}

/// Symbolic difference: whole months count as such.
fn age(end: i64, start: i64) -> Interval {
    if end < start {
        return age(start, end).negated();
    }
    let months_of = |moment: i64| {
        let (year, month, _) = civil_from_days(moment.div_euclid(DAY));
        year * 12 + month
    };
    let mut months = months_of(end) - months_of(start);
    let base = |months: i64| shifted(start, Interval { months, ..Interval::default() }).unwrap_or(start);
    if base(months) > end {
        months -= 1;
    }
    let rest = end - base(months);
    Interval { months, days: rest / DAY, micros: rest % DAY }
}

/// UTC and fixed offsets are all the zones there are.
fn zone(name: &str) -> Result<i64, SqlError> {
    let upper = name.trim().to_uppercase();
    if ["UTC", "GMT", "Z", "UCT", "ETC/UTC"].contains(&upper.as_str()) {
        return Ok(0);
    }
    let probe = format!("2000-01-01 00:00:00{}", upper.trim_start_matches("UTC").trim_start_matches("GMT"));
    let unknown = || {
        let message = format!("time zone \"{name}\" not recognized");
        SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, message)
            .hint("The sqlite engine knows UTC and fixed offsets.")
    };
    let offset = parse_timestamp(&probe, true).ok_or_else(unknown)?;
    // ISO 8601 counts east as positive; a bare offset means POSIX in PostgreSQL, where west is.
    Ok(-offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        parse_timestamp(text, true).expect("a timestamp")
    }

    #[test]
    fn moments_are_cut_to_their_units() {
        let table = [
            ("hour", "2024-05-15 13:00:00"),
            ("day", "2024-05-15 00:00:00"),
            ("week", "2024-05-13 00:00:00"),
            ("month", "2024-05-01 00:00:00"),
            ("quarter", "2024-04-01 00:00:00"),
            ("year", "2024-01-01 00:00:00"),
            ("century", "2001-01-01 00:00:00"),
        ];
        for (unit, expected) in table {
            let cut = truncate(unit, at("2024-05-15 13:14:15.6")).map(|moment| Timestamp(moment).to_string());
            assert_eq!(cut.as_deref(), Ok(expected), "{unit}");
        }
        assert!(truncate("fortnight", 0).is_err());
    }

    #[test]
    fn fields_are_those_of_the_calendar() {
        let moment = at("2024-12-30 13:14:15.5");
        for (unit, expected) in [
            ("dow", 1.0),
            ("isodow", 1.0),
            ("doy", 365.0),
            ("week", 1.0),
            ("isoyear", 2025.0),
            ("second", 15.5),
            ("epoch", 1_735_564_455.5),
        ] {
            assert_eq!(of_moment(unit, moment), Ok(expected), "{unit}");
        }
    }

    #[test]
    fn months_end_where_they_end() {
        let one_month = Interval { months: 1, ..Interval::default() };
        assert_eq!(shifted(at("2024-01-31 10:00"), one_month), Some(at("2024-02-29 10:00")));
        assert_eq!(shifted(at("9999-12-31"), one_month), None);
        assert_eq!(age(at("2024-03-01"), at("2024-01-31")).to_string(), "1 mon 1 day");
        assert_eq!(age(at("2024-01-31"), at("2024-03-01")).to_string(), "-1 mons -1 days");
    }

    #[test]
    fn zones_are_offsets() {
        assert_eq!(zone("utc"), Ok(0));
        assert_eq!(zone("+02:00"), Ok(2 * HOUR));
        assert!(zone("Mars/Olympus").is_err());
    }
}
