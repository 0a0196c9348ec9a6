//! Aggregates that SQLite does not have.

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::Value as Sql;

use super::super::types::array;
use super::{Registrar, text_of, value_ref};

/// Bytes that an array may collect.
const BYTES_MAX: usize = 16 << 20;

pub(super) const NAMES: &[&str] = &[
    "array_agg",
    "stddev",
    "stddev_samp",
    "stddev_pop",
    "variance",
    "var_samp",
    "var_pop",
    "bit_and",
    "bit_or",
];

pub(super) fn register(registrar: &Registrar<'_>) -> rusqlite::Result<()> {
    let connection = registrar.connection;
    connection.create_aggregate_function("array_agg", 1, FunctionFlags::SQLITE_UTF8, Collect)?;
    for (name, sample, root) in [
        ("stddev", true, true),
        ("stddev_samp", true, true),
        ("stddev_pop", false, true),
        ("variance", true, false),
        ("var_samp", true, false),
        ("var_pop", false, false),
    ] {
        connection.create_aggregate_function(name, 1, FunctionFlags::SQLITE_UTF8, Spread { sample, root })?;
    }
    for (name, and) in [("bit_and", true), ("bit_or", false)] {
        connection.create_aggregate_function(name, 1, FunctionFlags::SQLITE_UTF8, Bits { and })?;
    }
    Ok(())
}

/// `array_agg`.
struct Collect;

#[derive(Default)]
struct Collected {
    elements: Vec<Option<String>>,
    bytes: usize,
}

impl Aggregate<Collected, Option<String>> for Collect {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Collected> {
        Ok(Collected::default())
    }

    fn step(&self, context: &mut Context<'_>, collected: &mut Collected) -> rusqlite::Result<()> {
        let value = context.get_raw(0);
        let element = (!matches!(value, super::SqlRef::Null)).then(|| text_of(value_ref(value)));
        collected.bytes += element.as_ref().map_or(4, String::len) + 24;
        if collected.bytes > BYTES_MAX {
            return Err(rusqlite::Error::UserFunctionError(
                "54000:array size exceeds the maximum allowed".into(),
            ));
        }
        collected.elements.push(element);
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        collected: Option<Collected>,
    ) -> rusqlite::Result<Option<String>> {
        Ok(collected.map(|collected| array::format(collected.elements.iter().map(Option::as_deref))))
    }
}

/// Variance and its root, by Welford's method.
struct Spread {
    sample: bool,
    root: bool,
}

#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Aggregate<Moments, Option<f64>> for Spread {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Moments> {
        Ok(Moments::default())
    }

    fn step(&self, context: &mut Context<'_>, moments: &mut Moments) -> rusqlite::Result<()> {
        let value = match context.get_raw(0) {
            super::SqlRef::Integer(value) => value as f64,
            super::SqlRef::Real(value) => value,
            super::SqlRef::Null | super::SqlRef::Text(_) | super::SqlRef::Blob(_) => return Ok(()),
        };
        moments.count += 1.0;
        let difference = value - moments.mean;
        moments.mean += difference / moments.count;
        moments.squares += difference * (value - moments.mean);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, moments: Option<Moments>) -> rusqlite::Result<Option<f64>> {
        let moments = moments.unwrap_or_default();
        let divisor = moments.count - if self.sample { 1.0 } else { 0.0 };
        if divisor <= 0.0 {
            return Ok(None);
        }
        let variance = moments.squares / divisor;
        Ok(Some(if self.root { variance.sqrt() } else { variance }))
    }
}

/// `bit_and` and `bit_or`.
struct Bits {
    and: bool,
}

impl Aggregate<Option<i64>, Sql> for Bits {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<i64>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, bits: &mut Option<i64>) -> rusqlite::Result<()> {
        if let super::SqlRef::Integer(value) = context.get_raw(0) {
            *bits = Some(bits.map_or(value, |bits| if self.and { bits & value } else { bits | value }));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, bits: Option<Option<i64>>) -> rusqlite::Result<Sql> {
        Ok(bits.flatten().map_or(Sql::Null, Sql::Integer))
    }
}
