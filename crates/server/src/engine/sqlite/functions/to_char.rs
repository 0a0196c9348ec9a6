//! `to_char`, `to_timestamp`, `to_date` and `to_number` with PostgreSQL's templates: the patterns that are in use.

use rusqlite::types::Value as Sql;
use wire::sqlstate;

use super::super::sql_error::SqlError;
use super::super::types::datetime::{
    DAY, Date, EPOCH_DAYS, Timestamp, civil_from_days, days_from_civil, days_in_month,
};
use super::{Registrar, ValueRef, datetime, text};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Patterns, longest first.
const PATTERNS: &[&str] = &[
    "HH24", "HH12", "YYYY", "MONTH", "Month", "month", "IYYY", "DDD", "DAY", "Day", "day", "MON", "Mon",
    "mon", "A.M.", "P.M.", "a.m.", "p.m.", "HH", "MI", "SS", "MS", "US", "YY", "MM", "DD", "DY", "Dy", "dy",
    "AM", "PM", "am", "pm", "IW", "TZ", "OF", "FM", "D", "Q", "Y",
];

pub(super) const NAMES: &[&str] = &["to_char", "to_timestamp", "to_date", "to_number"];

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    registrar.strict("to_char", 2, |arguments| {
        let template = arguments.text(1);
        match arguments.value(0) {
            ValueRef::Integer(_) | ValueRef::Real(_) => text(number(arguments.real(0), &template)),
            _moment => text(moment(datetime::moment(arguments, 0)?, &template)),
        }
    })?;
    registrar.strict("to_timestamp", 1, |arguments| {
        let micros = (arguments.real(0) * 1e6).round() as i64;
        text(Timestamp(micros - EPOCH_DAYS * DAY).to_string())
    })?;
    registrar.strict("to_timestamp", 2, |arguments| {
        text(Timestamp(parse(&arguments.text(0), &arguments.text(1))?).to_string())
    })?;
    registrar.strict("to_date", 2, |arguments| {
        text(Date(parse(&arguments.text(0), &arguments.text(1))?.div_euclid(DAY)).to_string())
    })?;
    registrar.strict("to_number", 2, |arguments| {
        let digits: String =
            arguments.text(0).chars().filter(|c| c.is_ascii_digit() || *c == '.' || *c == '-').collect();
        let value: Result<f64, _> = digits.parse();
        value.map(Sql::Real).map_err(|_| super::super::types::input::invalid("numeric", &arguments.text(0)))
    })
}

/// The template's pieces: patterns and what stands between them.
fn pieces(template: &str) -> Vec<Result<&str, String>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            pieces.push(Err(quoted[..end].to_owned()));
            rest = quoted.get(end + 1..).unwrap_or_default();
        } else if let Some(pattern) =
            PATTERNS.iter().find(|pattern| rest.starts_with(**pattern)).or_else(|| insensitive(rest))
        {
            pieces.push(Ok(*pattern));
            rest = &rest[pattern.len()..];
        } else {
            let c = rest.chars().next().unwrap_or(' ');
            pieces.push(Err(c.to_string()));
            rest = &rest[c.len_utf8()..];
        }
    }
    pieces
}

/// Patterns that give digits may be written in lower case.
fn insensitive(rest: &str) -> Option<&'static &'static str> {
    PATTERNS.iter().find(|pattern| {
        let numeric = pattern.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
            && !matches!(**pattern, "D" | "Q" | "Y");
        numeric && rest.get(..pattern.len()).is_some_and(|start| start.eq_ignore_ascii_case(pattern))
    })
}

fn moment(moment: i64, template: &str) -> String {
    let mut out = String::new();
    let mut fill = true;
    for piece in pieces(template) {
        match piece {
            Ok("FM") => fill = false,
            Ok(pattern) => out.push_str(&field(moment, pattern, fill)),
            Err(literal) => out.push_str(&literal),
        }
    }
    out
}

fn field(moment: i64, pattern: &str, fill: bool) -> String {
    let days = moment.div_euclid(DAY);
    let time = moment.rem_euclid(DAY);
    let (year, month, day) = civil_from_days(days);
    let hour = time / 3_600_000_000;
    let weekday = (days + 6).rem_euclid(7);
    let digits = |value: i64, width: usize| if fill { format!("{value:0width$}") } else { value.to_string() };
    let named = |name: &str| {
        let full = matches!(pattern, "MONTH" | "Month" | "month" | "DAY" | "Day" | "day");
        let name = if full { name } else { &name[..3] };
        let cased = if pattern.chars().all(|c| c.is_ascii_uppercase()) {
            name.to_uppercase()
        } else if pattern.starts_with(|c: char| c.is_ascii_uppercase()) {
            name.to_owned()
        } else {
            name.to_lowercase()
        };
        if full && fill { format!("{cased:<9}") } else { cased }
    };
    match pattern {
        "YYYY" => digits(year, 4),
        "YY" => digits(year % 100, 2),
        "Y" => (year % 10).to_string(),
        "IYYY" => digits(datetime::iso_week(days).0, 4),
        "IW" => digits(datetime::iso_week(days).1, 2),
        "MM" => digits(month, 2),
        "DD" => digits(day, 2),
        "DDD" => digits(days - days_from_civil(year, 1, 1) + 1, 3),
        "D" => (weekday + 1).to_string(),
        "Q" => ((month - 1) / 3 + 1).to_string(),
        "HH24" => digits(hour, 2),
        "HH12" | "HH" => digits((hour + 11) % 12 + 1, 2),
        "MI" => digits(time / 60_000_000 % 60, 2),
        "SS" => digits(time / 1_000_000 % 60, 2),
        "MS" => digits(time / 1000 % 1000, 3),
        "US" => digits(time % 1_000_000, 6),
        "AM" | "PM" => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        "am" | "pm" => if hour < 12 { "am" } else { "pm" }.to_owned(),
        "A.M." | "P.M." => if hour < 12 { "A.M." } else { "P.M." }.to_owned(),
        "a.m." | "p.m." => if hour < 12 { "a.m." } else { "p.m." }.to_owned(),
        "TZ" => "UTC".to_owned(),
        "OF" => "+00".to_owned(),
        "MONTH" | "Month" | "month" | "MON" | "Mon" | "mon" => {
            named(MONTHS[(month - 1).clamp(0, 11) as usize])
        }
        "DAY" | "Day" | "day" => named(DAYS[weekday as usize]),
        // Two letters of pattern, three of name.
        "DY" => DAYS[weekday as usize][..3].to_uppercase(),
        "Dy" => DAYS[weekday as usize][..3].to_owned(),
        "dy" => DAYS[weekday as usize][..3].to_lowercase(),
        other => other.to_owned(),
    }
}

/// Reads by the template what [`moment`] would have written.
fn parse(value: &str, template: &str) -> Result<i64, SqlError> {
    let bad = || {
        let message = format!("invalid value \"{value}\" for the template \"{template}\"");
        SqlError::new(sqlstate::INVALID_DATETIME_FORMAT, message)
    };
    let (mut year, mut month, mut day, mut hour, mut micros, mut afternoon) = (1, 1, 1, 0, 0i64, None);
    let mut rest = value.trim_start();
    for piece in pieces(template) {
        let pattern = match piece {
            Ok("FM") => continue,
            Ok(pattern) => pattern,
            Err(literal) => {
                rest = rest
                    .strip_prefix(literal.as_str())
                    .or_else(|| rest.strip_prefix(|c: char| !c.is_alphanumeric()))
                    .unwrap_or(rest);
                continue;
            }
        };
        let width = match pattern {
            "YYYY" | "IYYY" => 4,
            "US" => 6,
            "MS" | "DDD" => 3,
            "D" | "Q" | "Y" => 1,
            _two => 2,
        };
        if let Some(at) = month_name(pattern, rest) {
            let name = if pattern.len() == 3 { &MONTHS[at][..3] } else { MONTHS[at] };
            (month, rest) = (at as i64 + 1, &rest[name.len()..]);
            continue;
        }
        if pattern.to_lowercase().trim_end_matches('.').contains('m') && pattern.len() != 2
            || matches!(pattern, "AM" | "PM" | "am" | "pm")
        {
            afternoon = Some(rest.starts_with(['p', 'P']));
            rest = rest.trim_start_matches(|c: char| "apmAPM.".contains(c));
            continue;
        }
        rest = rest.trim_start();
        let length = rest.bytes().take(width).take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..length].parse().map_err(|_| bad())?;
        rest = &rest[length..];
        match pattern {
            "YYYY" | "IYYY" => year = number,
            "YY" => year = if number < 70 { 2000 + number } else { 1900 + number },
            "MM" => month = number,
            "DD" => day = number,
            "HH24" | "HH12" | "HH" => hour = number,
            "MI" => micros += number * 60_000_000,
            "SS" => micros += number * 1_000_000,
            "MS" => micros += number * 1000 * 10i64.pow(3 - length as u32),
            "US" => micros += number * 10i64.pow(6 - length as u32),
            _ignored => {}
        }
    }
    if let Some(afternoon) = afternoon {
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    let valid = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && day >= 1
        && day <= days_in_month(year, month)
        && hour < 24;
    if valid {
        Ok(days_from_civil(year, month, day) * DAY + hour * 3_600_000_000 + micros)
    } else {
        Err(bad())
    }
}

fn month_name(pattern: &str, rest: &str) -> Option<usize> {
    let full = pattern.eq_ignore_ascii_case("month");
    if !full && !pattern.eq_ignore_ascii_case("mon") {
        return None;
    }
    MONTHS.iter().position(|name| {
        let name = if full { name } else { &name[..3] };
        rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
    })
}

/// `9` and `0` are digits, `.` or `D` the point, `,` or `G` groups thousands; `FM` leaves out the blanks.
fn number(value: f64, template: &str) -> String {
    let (fm, template) = template.strip_prefix("FM").map_or((false, template), |rest| (true, rest));
    let point = template.find(['.', 'D']);
    let decimals =
        point.map_or(0, |at| template[at + 1..].chars().filter(|c| matches!(c, '9' | '0')).count());
    let whole = &template[..point.unwrap_or(template.len())];
    let width = whole.chars().filter(|c| matches!(c, '9' | '0')).count();
    let zeros =
        whole.find('0').map_or(1, |at| whole[at..].chars().filter(|c| matches!(c, '9' | '0')).count());
    let rounded = format!("{:.decimals$}", value.abs());
    let (digits, fraction) = rounded.split_once('.').unwrap_or((&rounded, ""));
    if digits.len() > width {
        return "#".repeat(template.len());
    }
    let mut digits = format!("{digits:0>zeros$}");
    if whole.contains([',', 'G']) {
        let grouped: Vec<String> = digits
            .as_bytes()
            .rchunks(3)
            .rev()
            .map(|group| String::from_utf8_lossy(group).into_owned())
            .collect();
        digits = grouped.join(",");
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let optional = point.is_some_and(|at| !template[at..].contains('0'));
    let fraction = if fm && optional { fraction.trim_end_matches('0') } else { fraction };
    let dot = if point.is_some() { "." } else { "" };
    let text = format!("{sign}{digits}{dot}{fraction}");
    if fm { text } else { format!("{text:>size$}", size = template.len() + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sqlite::types::datetime::parse_timestamp;

    #[test]
    fn templates_of_moments_are_filled() {
        let at = parse_timestamp("2024-03-05 14:07:09.25", true).expect("a timestamp");
        let table = [
            ("YYYY-MM-DD HH24:MI:SS", "2024-03-05 14:07:09"),
            ("DD Mon YYYY", "05 Mar 2024"),
            ("Day, FMMonth FMDD", "Tuesday  , March 5"),
            ("HH12:MI AM", "02:07 PM"),
            ("yyyymmdd\"T\"hh24", "20240305T14"),
            ("IYYY-IW MS", "2024-10 250"),
        ];
        for (template, expected) in table {
            assert_eq!(moment(at, template), expected, "{template}");
        }
    }

    #[test]
    fn what_was_written_by_a_template_is_read_by_it() {
        for template in ["YYYY-MM-DD HH24:MI:SS", "DD Mon YYYY HH12:MI:SS AM", "YYYYMMDDHH24MISS"] {
            let at = parse_timestamp("2024-03-05 14:07:09", true).expect("a timestamp");
            assert_eq!(parse(&moment(at, template), template), Ok(at), "{template}");
        }
        assert!(parse("2024-13-01", "YYYY-MM-DD").is_err());
    }

    #[test]
    fn numbers_are_aligned_grouped_and_signed() {
        let table = [
            (1234.5, "9,999.99", " 1,234.50"),
            (-1.0, "FM999", "-1"),
            (7.0, "FM000", "007"),
            (0.5, "FM0.99", "0.5"),
            (12345.0, "999", "###"),
        ];
        for (value, template, expected) in table {
            assert_eq!(number(value, template), expected, "{template}");
        }
    }
}
